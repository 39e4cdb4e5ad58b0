# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import time

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet.failures import Failure
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet.workers import each

NAMES = [f"jail{number}" for number in range(40)]


@pytest.mark.parametrize("parallel", [1, 2, 7])
def test_every_step_is_done_once(tmp_path, parallel):
    def step(name):
        with open(tmp_path / name, "a", encoding="ascii") as file:
            file.write("x")

    assert each(step, NAMES, parallel=parallel) == {}
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(NAMES, "x")


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_failure_keeps_no_other_from_its_step(tmp_path, parallel):
    def step(name):
        if name == "jail7":
            raise EngineError(name, "does not work", path="command", remedy="mend it")
        (tmp_path / name).touch()

    failures = each(step, NAMES, parallel=parallel)
    assert failures == {"jail7": Failure("jail jail7: command: does not work; mend it", "command", "mend it")}
    assert len(list(tmp_path.iterdir())) == len(NAMES) - 1


def test_a_mistake_of_ours_is_the_failure_of_one_jail_and_says_where():
    def step(name):
        if name == "jail1":
            raise ValueError("never thought of that")

    failures = each(step, NAMES, parallel=2)
    assert list(failures) == ["jail1"]
    assert "never thought of that" in failures["jail1"].message
    assert "test_workers.py" in failures["jail1"].message


def test_long_reports_arrive_whole():
    def step(name):
        raise EngineError(name, "x" * 100_000)

    failures = each(step, NAMES, parallel=3)
    assert all(len(failures[name].message) > 100_000 for name in NAMES)


def test_what_a_killed_worker_had_in_hand_has_failed():
    def step(name):
        if name == "jail0":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.001)

    failures = each(step, NAMES, parallel=2)
    assert list(failures) == ["jail0"]
    assert "killed" in failures["jail0"].message


def test_steps_are_done_side_by_side(tmp_path):
    def wait_for_all(name):
        (tmp_path / name).touch()
        end = time.monotonic() + 30
        while len(list(tmp_path.iterdir())) < 8:
            assert time.monotonic() < end
            time.sleep(0.01)

    assert each(wait_for_all, NAMES[:8], parallel=8) == {}


def test_nothing_to_do_is_done_at_once():
    assert each(os.abort, [], parallel=4) == {}
