# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The supervisor is there and does not answer: nobody waits for ever, nothing is half done, jails can be stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import places, status, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet.refusal import Refusal
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import connection, protocol, server
from ansible_collections.hosting.jails.tests.faults.tasks import NAME, run, supervised, task, whole_jail
from ansible_collections.hosting.jails.tests.faults.test_fleet import made
from ansible_collections.hosting.jails.tests.faults.world import settled, strays, world
from ansible_collections.hosting.jails.tests.integration.jails import wait_until

DEFINED = task(**whole_jail())
OTHER = task(name="flt-b", **whole_jail(2))


@pytest.fixture
def before(unwatched: list[str]) -> list[str]:
    return unwatched


def impatient(seconds: float = 2.0) -> None:
    connection.SILENCE_SECONDS = seconds


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does nothing for a while; it gets all signals that came meanwhile afterwards."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def refused(attempt: Callable[[], dict[str, object]], pid: int, jail: str = NAME) -> None:
    failure = run(attempt, prepare=impatient).failure
    assert f"jail {jail}" in failure and f"pid {pid}" in failure, failure
    assert f"kill -CONT {pid}" in failure and f"kill -KILL {pid}" in failure
    assert strays() == []


def test_a_task_that_starts_a_jail_is_refused_before_its_first_change(before: list[str]) -> None:
    with supervised() as pid:
        with stopped(pid):
            empty = world()
            refused(DEFINED, pid)
            refused(task(check=True, **whole_jail()), pid)
            assert world() == empty
        assert run(DEFINED).state == "running"
        init = store.read_state(NAME).pid
        with stopped(pid):
            refused(task("restarted"), pid)
            refused(task(apply_mode="restart", **whole_jail(hostname="other")), pid)
            assert (status.run_state(NAME), store.read_state(NAME).pid) == ("running", init)
            assert not run(DEFINED).changed
            assert run(task("present", limits={"pids": 60})).changed
            assert run(task("stopped")).state == "stopped"
            assert not run(task("absent")).failure
    assert settled(before) == []


def test_a_task_about_many_jails_that_starts_one_is_refused_as_a_whole(before: list[str]) -> None:
    def refusal() -> dict[str, str]:
        try:
            made()()
        except Refusal as refusal:
            return {"message": str(refusal)}
        return {"message": "nothing was refused"}

    with supervised() as pid, stopped(pid):
        message = (run(refusal, prepare=impatient).result or {})["message"]
        assert f"pid {pid}" in message and f"kill -KILL {pid}" in message
    assert settled(before) == []


def test_a_hung_supervisor_that_is_killed_is_followed_by_another_and_its_jails_run_on(before: list[str]) -> None:
    with supervised() as pid:
        assert run(DEFINED).state == "running"
        init = store.read_state(NAME).pid
        with stopped(pid):
            refused(OTHER, pid, "flt-b")
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        outcome = run(OTHER)
        assert not outcome.failure, outcome.failure
        assert (status.run_state(NAME), store.read_state(NAME).pid) == ("running", init)
        for name in (NAME, "flt-b"):
            assert not run(task("absent", name=name)).failure
    assert settled(before) == []


def test_a_supervisor_that_hangs_in_the_middle_of_a_start_leaves_no_half_of_it(
    before: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = server.Server._advance

    def hang(self: server.Server, name: str) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        advance(self, name)

    monkeypatch.setattr(server.Server, "_advance", hang)
    with supervised() as pid:
        refused(DEFINED, pid)
        state = store.read_state(NAME)
        assert state is not None and (state.phase, status.group(NAME).processes()) == ("failed", [])
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    monkeypatch.undo()
    with supervised():
        assert run(DEFINED).state == "running"
        assert not run(task("absent")).failure
    assert settled(before) == []


def test_a_start_whose_asker_has_gone_is_not_begun_when_the_supervisor_goes_on(before: list[str]) -> None:
    with supervised() as pid:
        assert not run(task("present", **whole_jail())).failure
        with stopped(pid):
            asker = connection.try_connect()
            assert asker is not None
            protocol.send(asker, {"do": protocol.START, "jail": NAME})
            asker.close()
        # It has read all that came before by the time that it answers.
        run(connection.refuse_hung)
        assert status.run_state(NAME) == "stopped"
        assert store.read_state(NAME) is None
        assert not run(task("absent")).failure
    assert settled(before) == []


def test_a_start_that_takes_long_is_waited_for_while_the_supervisor_lives(
    before: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = time.monotonic()
    advance = server.Server._advance

    def dawdle(self: server.Server, name: str) -> None:
        if time.monotonic() > begun + 6.0:
            advance(self, name)
        else:
            time.sleep(0.1)

    monkeypatch.setattr(server.Server, "_advance", dawdle)
    with supervised():
        # Less than that takes, and enough for a busy machine to let the supervisor answer.
        outcome = run(DEFINED, prepare=lambda: impatient(5.0))
        assert not outcome.failure, outcome.failure
        assert outcome.state == "running"
        assert not run(task("absent")).failure
    assert settled(before) == []


def test_a_supervisor_that_accepts_nobody_any_more_is_an_error_too(before: list[str]) -> None:
    with supervised() as pid:
        with stopped(pid):
            waiting = []
            while True:
                one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                one.setblocking(False)
                waiting.append(one)
                try:
                    one.connect(places.SUPERVISOR_SOCKET)
                except BlockingIOError:
                    break
            failure = run(DEFINED, prepare=impatient).failure
            assert f"jail {NAME}" in failure and "has not answered" in failure and "kill -KILL" in failure
            for one in waiting:
                one.close()
        wait_until(lambda: not run(connection.refuse_hung).failure)
        assert run(DEFINED).state == "running"
        assert not run(task("absent")).failure
    assert settled(before) == []
