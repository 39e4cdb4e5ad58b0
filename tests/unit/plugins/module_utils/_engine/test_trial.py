# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a command has come to that was run again and again in a jail on trial."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import trial

KILLED = 137


class Alive:
    """A jail that does not end."""

    def is_alive(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Time passes by the second, with each look at it."""
    ticks = itertools.count()
    monkeypatch.setattr(trial.time, "monotonic", lambda: float(next(ticks)))
    monkeypatch.setattr(trial.time, "sleep", lambda _seconds: None)


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        ([0], ""),
        ([1, 0], ""),
        ([1, 2], "false ends with status 2"),
        ([KILLED], "false does not end in time"),
        ([1, KILLED], "false ends with status 1"),
    ],
)
def test_what_it_came_to_when_it_had_the_time_is_told(clock, monkeypatch, statuses, told):
    """The last one is killed as the time is up, whatever it would have come to."""
    codes = iter(statuses)
    monkeypatch.setattr(trial.enter, "run_quietly", lambda *_unused, **_options: next(codes))
    assert trial.exercise("web1", Alive(), ["false"], seconds=2.0 * len(statuses)) == told
