# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The supervisor and the processes of a start are killed: jails live on, starts are completed, nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import install, status, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.firewall_state import TABLE
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import aftermath, client
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor.connection import try_connect, version_of
from ansible_collections.hosting.jails.plugins.module_utils._kernel import nfnetlink
from ansible_collections.hosting.jails.tests.faults.tasks import (
    NAME,
    run,
    stride,
    supervised,
    task,
    whole_jail,
)
from ansible_collections.hosting.jails.tests.faults.world import settled, strays
from ansible_collections.hosting.jails.tests.integration.engine.deaths import die
from ansible_collections.hosting.jails.tests.integration.jails import wait_until

MOST_STEPS = 1000
DEFINED = task(**whole_jail())
APP = whole_jail()
SYSTEM = whole_jail(command=[], init="system", stop={"signal": "SIGRTMIN+3", "timeout": 3})
# An app's start has one process besides the supervisor, a system's has two.
ROLES = pytest.mark.parametrize(
    ("role", "options"),
    [
        pytest.param("supervisor", APP, id="supervisor"),
        pytest.param("setup", APP, id="app"),
        pytest.param("setup", SYSTEM, id="system-first"),
        pytest.param("init", SYSTEM, id="system-second"),
    ],
)


@pytest.fixture
def before(unwatched: list[str]) -> list[str]:
    return unwatched


def pid_of(name: str = NAME) -> int:
    state = store.read_state(name)
    assert state is not None
    return state.pid


def gone(pid: int) -> bool:
    """Whether a child of ours has ended."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def deaths(role: str, options: dict[str, Any], *, first: int) -> Iterator[int]:
    """Steps of a start at which a process of that role was killed; the supervisor is gone afterwards."""
    for moment in range(first, MOST_STEPS, stride(8 if role == "supervisor" else 24)):
        assert not run(task("present", **options)).failure
        with supervised(kill_at=moment, role=role) as pid:
            outcome = run(task(**options))
            assert strays() == [], moment
            ended = bool(outcome.failure) or outcome.state == "failed"
            assert ended or outcome.state == "running", (moment, outcome)
            died = gone(pid) if role == "supervisor" else ended
        if not died:
            assert moment > first, "the start has no steps"
            run(task("absent"))
            return
        yield moment
    raise AssertionError("the start does not end")


@ROLES
def test_a_start_that_loses_a_process_is_completed_by_the_next_task(
    before: list[str], role: str, options: dict[str, Any]
) -> None:
    for moment in deaths(role, options, first=1):
        with supervised():
            second = run(task(**options))
            assert not second.failure, (moment, second.failure)
            assert second.state == "running", moment
            assert not run(task(**options)).changed, moment
            assert not run(task("absent")).failure, moment
        assert settled(before) == [], moment


@ROLES
def test_a_start_that_loses_a_process_is_removed_by_the_next_task(
    before: list[str], role: str, options: dict[str, Any]
) -> None:
    for moment in deaths(role, options, first=2):
        with supervised():
            assert not run(task("absent")).failure, moment
        assert settled(before) == [], moment


def test_jails_live_on_when_the_supervisor_is_killed(before: list[str]) -> None:
    with supervised():
        assert run(DEFINED).state == "running"
        pid = pid_of()
    assert run(task("present")).state == "running"
    assert pid_of() == pid
    with supervised():
        assert not run(DEFINED).changed
        assert pid_of() == pid
        assert run(task("stopped")).state == "stopped"
        assert not run(task("absent")).failure
    assert settled(before) == []


def test_a_killed_supervisor_is_replaced_by_the_next_start(before: list[str]) -> None:
    with supervised():
        assert run(DEFINED).state == "running"
    outcome = run(task(name="flt-b", **whole_jail(2)))
    assert not outcome.failure, outcome.failure
    for name in (NAME, "flt-b"):
        assert not run(task("absent", name=name)).failure
    assert settled(before) == []


def test_a_jail_that_ends_while_nobody_watches_is_restarted_by_its_policy(before: list[str]) -> None:
    policy = {"restart": {"policy": "always", "delay": 0}}
    with supervised():
        assert not run(task(**whole_jail(**policy))).failure
        first = pid_of()
    os.kill(first, signal.SIGKILL)
    with supervised():
        wait_until(lambda: pid_of() not in (0, first) and status.run_state(NAME) == "running")
        assert not run(task("absent")).failure
    assert settled(before) == []


def test_a_restart_by_policy_in_which_the_supervisor_is_killed_is_done_by_the_next(before: list[str]) -> None:
    defined = task(**whole_jail(restart={"policy": "always", "delay": 0}))
    first = 0

    def is_back() -> bool:
        return status.run_state(NAME) == "running" and pid_of() not in (0, first)

    for moment in range(3, MOST_STEPS, stride(24)):
        with supervised(kill_at=moment, role="restarter") as supervisor:
            assert not run(defined).failure
            first = pid_of()
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: gone(supervisor) or is_back())
            died = gone(supervisor)
        with supervised():
            wait_until(is_back)
            assert not run(task("absent")).failure, moment
        assert settled(before) == [], moment
        if not died:
            return
    raise AssertionError("the restart does not end")


def test_a_supervisor_that_loses_its_children_has_their_work_done_by_others(before: list[str]) -> None:
    def lose_the_first_of_each() -> None:
        in_child, lost = aftermath.in_child, set()

        def lossy(function: Any, *arguments: Any) -> int:
            known = function in lost
            lost.add(function)
            return in_child(function if known else die, *arguments)

        aftermath.in_child = lossy

    guarded = {**whole_jail()["ip"], "firewall": {"inbound": {"policy": "drop"}}}
    with supervised(prepare=lose_the_first_of_each):
        assert not run(task(**whole_jail(ip=guarded, restart={"policy": "always", "delay": 0}))).failure
        first = pid_of()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: status.run_state(NAME) == "running" and pid_of() not in (0, first))
        subprocess.run(["nft", "delete", "table", "inet", TABLE], check=True)
        wait_until(lambda: nfnetlink.has_table(TABLE), what="the rules to come back")
        assert not run(task("absent")).failure
    assert settled(before) == []


def test_what_a_jail_prints_while_nobody_listens_is_in_its_log(before: list[str]) -> None:
    command = ["/bin/sh", "-c", "echo one; while ! test -e /tmp/go; do sleep 0.01; done; echo two; exec sleep 1000"]
    with supervised():
        assert not run(task(**whole_jail(command=command))).failure
        pid = pid_of()
        wait_until(lambda: "one" in _log())
    open(f"/proc/{pid}/root/tmp/go", "w").close()
    time.sleep(0.1)
    with supervised():
        wait_until(lambda: "two" in _log())
        assert not run(task("absent")).failure
    assert settled(before) == []


def _log() -> str:
    try:
        with open(f"/var/log/jails/{NAME}.log", encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


OLD = "0123456789abcdef"


def started_by_old() -> int:
    """Have a jail that the tasks of another engine have started; the pid of its init."""
    original = install.engine_version
    try:
        install.engine_version = lambda: OLD  # type: ignore[assignment]
        assert run(DEFINED).state == "running"
    finally:
        install.engine_version = original
    return pid_of()


def test_a_supervisor_of_another_engine_is_replaced_and_its_jails_live_on(before: list[str]) -> None:
    with supervised(version=OLD) as old:
        pid = started_by_old()
        outcome = run(task(name="flt-b", **whole_jail(2)))
        assert not outcome.failure, outcome.failure
        wait_until(lambda: gone(old))
        assert pid_of() == pid
        assert not run(DEFINED).changed
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: status.run_state(NAME) == "failed")
    for name in (NAME, "flt-b"):
        assert not run(task("absent", name=name)).failure
    assert settled(before) == []


def test_a_hand_over_that_is_killed_when_the_old_supervisor_has_left_is_completed(before: list[str]) -> None:
    def upgrade() -> dict[str, Any]:
        for step in install.plan():
            step.carry_out()
        return {}

    def killed_before_the_new_one() -> None:
        client.keep_watch = die  # type: ignore[assignment]

    with supervised(version=OLD) as old:
        pid = started_by_old()
        os.makedirs(f"{install.PREFIX}/{OLD}")
        assert run(upgrade, prepare=killed_before_the_new_one).killed
        wait_until(lambda: gone(old))
        assert try_connect() is None
        assert run(upgrade).failure == ""
        assert install.versions() == [install.engine_version()]
        connection = try_connect()
        assert connection is not None
        assert version_of(connection) == install.engine_version()
        connection.close()
        assert pid_of() == pid
        assert not run(task("absent")).failure
    assert settled(before) == []


def test_a_zombie_init_counts_as_dead(before: list[str]) -> None:
    """The host's own init may reap nobody (as of a careless container); we stand in for it."""
    from ansible_collections.hosting.jails.plugins.module_utils._kernel import processes

    with supervised():
        assert run(DEFINED).state == "running"
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        wait_until(lambda: _state_of(pid) == "Z")
        state = store.read_state(NAME)
        assert state is not None
        real = state.pid
        os.kill(real, signal.SIGKILL)
        wait_until(lambda: status.run_state(NAME) == "failed")
        started = processes.start_time(pid) or 0
        assert not processes.is_alive(pid, started)
        assert run(DEFINED).state == "running"
        assert not run(task("absent")).failure
        os.waitpid(pid, 0)
    assert settled(before) == []


def _state_of(pid: int) -> str:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0]
