# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module is killed at each of its steps: the same task completes the work, and its removal leaves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._engine import store
from ansible_collections.hosting.jails.tests.faults import roots
from ansible_collections.hosting.jails.tests.faults.tasks import NAME, removed, run, stride, task, whole_jail
from ansible_collections.hosting.jails.tests.faults.world import settled, strays

# The longest task has fewer; the loops have to end by themselves.
MOST_STEPS = 400

Task = Callable[[], Any]

DEFINED = task(**whole_jail())
CHANGED = {
    "limits": {"pids": 60, "memory": "80M", "cpus": 1},
    "ip": {"mode": "vnet", "addresses": ["10.22.0.2/32", "10.22.0.3/32"], "mtu": 1400},
}


def kills(killed: Task, *, prepared: Task | None = None, every: int = 3) -> Iterator[int]:
    """Steps at which the task was killed; the caller brings the machine back to where it was."""
    for moment in range(1, MOST_STEPS, stride(every)):
        if prepared:
            assert not run(prepared).failure
        outcome = run(killed, kill_at=moment)
        if not outcome.killed:
            assert outcome.result is not None, outcome.failure
            assert moment > 1, "the task has no steps"
            assert not run(task("absent")).failure
            return
        assert strays() == [], moment
        yield moment
    raise AssertionError("the task does not end")


def completed(again: Task, *, state: str, moment: int) -> None:
    """The task that was killed is run again, and once more."""
    outcome = run(again)
    assert not outcome.failure, (moment, outcome.failure)
    assert outcome.state == state, (moment, outcome.result)
    second = run(again)
    assert not second.failure, (moment, second.failure)
    assert not second.changed, (moment, second.result)


def test_a_killed_definition_and_start_are_completed(before: list[str]) -> None:
    for moment in kills(DEFINED, every=1):
        completed(DEFINED, state="running", moment=moment)
        removed(before, moment)


def test_a_killed_definition_and_start_are_removed(before: list[str]) -> None:
    for moment in kills(DEFINED, every=1):
        removed(before, moment)


def test_a_killed_change_of_limits_and_addresses_is_completed(before: list[str]) -> None:
    change = task(None, **CHANGED)
    for moment in kills(change, prepared=DEFINED):
        completed(change, state="running", moment=moment)
        removed(before, moment)


def test_a_killed_change_of_devices_is_completed(before: list[str]) -> None:
    mine = {"path": "/dev/net/mine", "type": "char", "major": 1, "minor": 5}
    change = task(part="caps", caps={"devices": ["none", mine]})
    for moment in kills(change, prepared=DEFINED, every=5):
        completed(change, state="running", moment=moment)
        state = store.read_state(NAME)
        assert state, moment
        devices = Path(f"/proc/{state.pid}/root/dev")
        assert (devices / "net/mine").is_char_device(), moment
        assert not (devices / "zero").exists(), moment
        removed(before, moment)


def test_a_killed_change_with_a_restart_is_completed(before: list[str]) -> None:
    change = task(None, apply_mode="restart", hostname="changed", command=["/bin/sleep", "2000"])
    for moment in kills(change, prepared=DEFINED):
        completed(change, state="running", moment=moment)
        removed(before, moment)


def test_after_a_killed_restart_any_task_brings_the_jail_back(before: list[str]) -> None:
    for moment in kills(task("restarted"), prepared=DEFINED):
        completed(task("present"), state="running", moment=moment)
        removed(before, moment)


def test_a_killed_stop_is_completed(before: list[str]) -> None:
    for moment in kills(task("stopped"), prepared=DEFINED):
        completed(task("stopped"), state="stopped", moment=moment)
        removed(before, moment)


def test_a_jail_whose_stop_was_killed_can_be_started(before: list[str]) -> None:
    for moment in kills(task("stopped"), prepared=DEFINED):
        completed(DEFINED, state="running", moment=moment)
        removed(before, moment)


def test_a_killed_freeze_is_completed(before: list[str]) -> None:
    for moment in kills(task("frozen"), prepared=DEFINED):
        completed(task("frozen"), state="frozen", moment=moment)
        removed(before, moment)


def test_a_killed_removal_is_completed(before: list[str]) -> None:
    for moment in kills(task("absent"), prepared=DEFINED, every=1):
        completed(task("absent"), state="absent", moment=moment)
        assert settled(before) == [], moment


def test_a_jail_whose_removal_was_killed_can_be_defined_again(before: list[str]) -> None:
    for moment in kills(task("absent"), prepared=DEFINED):
        completed(DEFINED, state="running", moment=moment)
        removed(before, moment)


def test_a_killed_reset_of_a_root_is_completed(before: list[str]) -> None:
    reset = task(part="rootfs", reset=True)
    stopped = task("present", **whole_jail())
    for moment in kills(reset, prepared=stopped):
        outcome = run(reset)
        assert not outcome.failure, (moment, outcome.failure)
        completed(DEFINED, state="running", moment=moment)
        removed(before, moment)


def test_a_killed_definition_of_a_jail_with_its_own_root_is_completed_or_removed(before: list[str]) -> None:
    own = task(**whole_jail(rootfs={"source": roots.source()}))
    for moment in kills(own):
        if moment % 5 == 0:
            completed(own, state="running", moment=moment)
        removed(before, moment)
