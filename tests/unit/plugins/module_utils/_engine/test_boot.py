# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd is asked for, on a host that is no more than two directories and a list of calls."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import boot
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import client
from ansible_collections.hosting.jails.plugins.module_utils._kernel import files

Calls = list[tuple[str, ...]]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What systemctl was called with; ``enable`` makes links as the real one does."""
    made: Calls = []
    (tmp_path / "wants").mkdir()

    def systemctl(*arguments: str) -> bool:
        made.append(arguments)
        for unit in arguments[1:]:
            link = tmp_path / "wants" / unit
            if arguments[0] in ("enable", "disable"):
                link.unlink(missing_ok=True)
            if arguments[0] == "enable":
                link.symlink_to(tmp_path / unit)
        if arguments[0] in ("restart", "start"):
            (tmp_path / f"{arguments[-1]}.started").touch()
        if "--now" in arguments:
            (tmp_path / f"{arguments[-1]}.started").unlink(missing_ok=True)
        return True

    monkeypatch.setattr(boot, "_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(boot, "_WANTED", str(tmp_path / "wants"))
    monkeypatch.setattr(boot, "_systemctl", systemctl)
    monkeypatch.setattr(boot, "has_systemd", lambda: True)
    monkeypatch.setattr(client, "keep_watch", lambda: made.append(("keep watch",)))
    return made


def carry_out(wanted: bool) -> list[str]:
    steps = boot.plan(wanted)
    for step in steps:
        step.carry_out()
    return [step.summary for step in steps]


def test_enabling_takes_one_step_and_then_none(calls: Calls) -> None:
    assert carry_out(True) == ["enable jails.service and jails-autostart.service"]
    assert boot.is_enabled()
    assert carry_out(True) == []


def test_what_is_enabled_runs_at_once(calls: Calls) -> None:
    carry_out(True)
    assert ("restart", boot.SUPERVISOR) in calls
    assert ("start", boot.AUTOSTART) in calls


def test_a_unit_of_an_earlier_version_is_replaced(calls: Calls, tmp_path: Path) -> None:
    carry_out(True)
    (tmp_path / boot.SUPERVISOR).write_text("[Service]\nExecStartPost=/usr/local/sbin/jailctl boot\n")
    assert not boot.is_enabled()
    assert carry_out(True)
    assert "jailctl boot" not in (tmp_path / boot.SUPERVISOR).read_text()


def test_disabling_stops_the_supervisor_but_no_jail(calls: Calls, tmp_path: Path) -> None:
    carry_out(True)
    calls.clear()
    assert carry_out(False) == ["disable jails.service and jails-autostart.service"]
    assert ("disable", "--now", boot.SUPERVISOR) in calls
    assert ("disable", boot.AUTOSTART) in calls
    assert ("keep watch",) in calls
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{boot.AUTOSTART}.started", "wants"]
    assert carry_out(False) == []


def test_a_host_without_systemd_is_left_alone(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "has_systemd", lambda: False)
    assert carry_out(True) == []
    assert not boot.start_supervisor()
    assert calls == []


def test_systemd_starts_the_supervisor_only_where_that_is_its_business(calls: Calls) -> None:
    assert not boot.start_supervisor()
    carry_out(True)
    assert boot.start_supervisor()
    assert calls[-1] == ("start", "--no-block", boot.SUPERVISOR)


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code under test goes on after it."""


def carry_out_to(moment: int, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Carry out a plan up to its so-and-so-many-th step; whether it had as many."""
    passed = count(1)

    def step() -> None:
        if next(passed) == moment:
            raise Killed

    with monkeypatch.context() as patched:
        for owner, name in ((boot, "_systemctl"), (files, "write_atomic"), (files, "remove_file")):
            original = getattr(owner, name)
            patched.setattr(owner, name, lambda *a, original=original, **o: (step(), original(*a, **o))[1])
        try:
            carry_out(wanted)
        except Killed:
            return True
    return False


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("again", [True, False])
def test_what_was_killed_at_any_step_is_completed_or_taken_back(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: bool, again: bool
) -> None:
    carry_out(True)
    if not again:
        carry_out(False)
    expected = sorted(tmp_path.rglob("*"))
    for moment in count(1):
        carry_out(not wanted)
        if not carry_out_to(moment, wanted, monkeypatch):
            assert moment > len(boot._UNITS)
            break
        carry_out(again)
        assert sorted(tmp_path.rglob("*")) == expected, moment
        assert carry_out(again) == []
