# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task about many jails is killed at its steps, or loses a worker or the supervisor: the next one completes it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet import workers
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet.converge import converge
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import client
from ansible_collections.hosting.jails.tests.faults.tasks import Steps, run, stride, supervised, whole_jail
from ansible_collections.hosting.jails.tests.faults.test_module import CHANGING, changes, is_harmless
from ansible_collections.hosting.jails.tests.faults.world import settled, strays

MOST_STEPS = 1500
NAMES = ["flt-web", "flt-db", "flt-idle"]

Task = Callable[[], Any]
Kills = Callable[..., Iterator[int]]


def fleet(*jails: dict[str, Any], parallel: int = 1, check: bool = False, **options: Any) -> Task:
    parameters = {
        "jails": list(jails),
        "defaults": {},
        "fleet": "flt",
        "purge": "none",
        "purge_limit": "100%",
        "allow_empty": True,
        "parallel": parallel,
        "apply": "live",
        "mode": "converge",
        "plan": None,
        "verbose_results": True,
        **options,
    }
    return lambda: converge(parameters, check=check, with_diff=False)


def jails(**options: Any) -> list[dict[str, Any]]:
    """Three jails: one needs another, one is not to run."""
    web, db, idle = ({"name": name, **whole_jail(number, **options)} for number, name in enumerate(NAMES))
    return [{**web, "depends": ["flt-db"]}, db, {**idle, "state": "stopped"}]


def made(parallel: int = 1) -> Task:
    return fleet(*jails(), parallel=parallel)


def gone() -> Task:
    return fleet(*({"name": name, "state": "absent"} for name in NAMES))


def kills(killed: Task, *, prepared: Task | None = None, every: int) -> Iterator[int]:
    """Steps at which the task was killed; the caller brings the machine back to where it was."""
    for moment in range(1, MOST_STEPS, stride(every)):
        if prepared:
            done(prepared, moment)
        outcome = run(killed, kill_at=moment)
        if not outcome.killed:
            assert outcome.result is not None, outcome.failure
            assert moment > 1, "the task has no steps"
            done(gone(), moment)
            return
        assert strays() == [], moment
        yield moment
    raise AssertionError("the task does not end")


def done(task: Task, moment: int = 0) -> dict[str, Any]:
    """The result of a task in which nothing fails."""
    outcome = run(task)
    assert outcome.result is not None, (moment, outcome.failure)
    assert not outcome.result["failed"], (moment, outcome.result)
    return outcome.result


def completed(task: Task, moment: int) -> None:
    """The task that was killed is run again, and once more."""
    states = [row["state"] for row in done(task, moment)["jails"]]
    assert states == ["running", "running", "stopped"], moment
    assert not done(task, moment)["changed"], moment


def removed(before: list[str], moment: int) -> None:
    done(gone(), moment)
    assert settled(before) == [], moment


@pytest.mark.parametrize(("parallel", "every"), [(1, 11), (2, 5)])
def test_a_fleet_whose_making_was_killed_is_completed(before: list[str], parallel: int, every: int) -> None:
    for moment in kills(made(parallel), every=every):
        completed(made(), moment)
        removed(before, moment)


def test_a_fleet_whose_making_was_killed_is_removed(before: list[str]) -> None:
    for moment in kills(made(), every=11):
        removed(before, moment)


def test_a_killed_change_with_restarts_is_completed(before: list[str]) -> None:
    change = fleet(*jails(hostname="changed", limits={"pids": 40}), apply="restart")
    for moment in kills(change, prepared=made(), every=9):
        completed(change, moment)
        removed(before, moment)


def test_addresses_on_their_way_from_jail_to_jail_arrive(before: list[str]) -> None:
    web, db, idle = jails()
    swapped = fleet({**web, "ip": db["ip"]}, {**db, "ip": web["ip"]}, idle)
    for moment in kills(swapped, prepared=made(), every=9):
        completed(swapped, moment)
        removed(before, moment)


def test_a_killed_purge_is_completed(before: list[str]) -> None:
    purge = fleet(purge="absent")
    for moment in kills(purge, prepared=made(), every=9):
        done(purge, moment)
        assert settled(before) == [], moment


def test_what_a_killed_worker_had_in_hand_is_completed_by_the_next_task(before: list[str]) -> None:
    for moment in range(1, 60, stride(6)):
        outcome = run(made(parallel=2), prepare=lambda moment=moment: _kill_workers_at(moment))
        assert outcome.result is not None, outcome.failure
        assert strays() == [], moment
        completed(made(), moment)
        removed(before, moment)


def _kill_workers_at(moment: int) -> None:
    """Each worker ends before its so-and-so-many-th step."""
    work = workers._work

    def mortal(*arguments: Any) -> None:
        Steps(moment).watch()
        work(*arguments)

    workers._work = mortal


def test_a_fleet_whose_supervisor_is_killed_goes_on_with_the_next(unwatched: list[str]) -> None:
    for moment in range(1, 80, stride(8)):
        with supervised(kill_at=moment):
            done(made(), moment)
        assert strays() == [], moment
        assert not done(made(), moment)["changed"], moment
        done(gone(), moment)
        client.dismiss()
        assert settled(unwatched) == [], moment


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_check_mode_makes_no_system_call_that_changes_anything(before: list[str]) -> None:
    trace = "/run/check.trace"
    wishes = [jails(hostname="other"), jails(state="absent"), [*jails(), {**jails()[0], "name": "flt-new", "ip": {}}]]
    for prepared in (None, made()):
        if prepared:
            done(prepared)
        for wish in wishes[0 if prepared else 2 :]:
            code = f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}\n" + _CHECK
            command = ["strace", "-f", "-qq", "-y", "-o", trace, "-e", f"trace={CHANGING},{_WRITING}"]
            command += [sys.executable, "-B", "-c", code, json.dumps(wish)]
            told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
            assert json.loads(told)["changed"]
            assert [line for line in changes(trace) if not is_harmless(line)] == []
    os.unlink(trace)
    removed(before, 0)


_WRITING = "openat,open,creat,write,pwrite64"
_CHECK = f"""
import json
from {fleet.__module__} import check_only
print(json.dumps(check_only(json.loads(sys.argv[1]))))
"""


def check_only(wish: list[dict[str, Any]]) -> Any:
    """What the traced program does."""
    return fleet(*wish, check=True, purge="absent")()
