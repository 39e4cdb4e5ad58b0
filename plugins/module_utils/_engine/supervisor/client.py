# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..._kernel import processes
from ..._kernel.cgroups import Cgroup
from ..._model.document import effective
from .. import allocations, hooks, network, places, status, store
from ..errors import EngineError
from . import protocol
from .connection import Hung, await_answer, try_connect, version_of

_PATIENCE_SECONDS = 30.0
# Enough to keep the processors busy; each start under way has two processes that look like the supervisor.
_STARTS_AT_ONCE = 32
_ATTEMPTS = 4
_LONGEST_POLL_SECONDS = 0.1


class _Lost(EngineError):
    """The supervisor has hung up before it has answered."""


def start(name: str, document: dict[str, Any], *, restarts: int = 0) -> None:
    """Start a jail through the supervisor, with its hooks. Callers hold its lock; ``document`` is the effective one.

    What belongs to the definition but not to the disk (pinned namespaces, the network) is made first if it is
    missing, as it is after a boot of the host.
    """
    allocation = allocations.claim(name, document)
    allocations.ensure_user_namespace(allocation)
    network.ensure(document, allocation.number)
    hooks.run_all(name, "prestart", document)
    ((_unused, outcome),) = start_all([name], restarts=restarts)
    if isinstance(outcome, EngineError):
        raise outcome
    make_ready(name, document, outcome)


def _given_up(name: str, error: Hung) -> EngineError:
    """What to say of a start that the supervisor does not answer for. What it may have begun is ended.

    Should it go on one day, it takes no request of somebody who has gone, and finds a start that has failed.
    """
    state = store.read_state(name)
    if state is not None and state.phase == "starting":
        status.clear_remains(name, phase="failed", message=error.message)
    return error.of(name)


def make_ready(name: str, document: Mapping[str, Any], pid: int) -> None:
    """Run the hooks of a jail that has just been started. EngineError: it has been ended again."""
    try:
        hooks.run_all(name, "poststart", document, pid=pid)
    except EngineError as error:
        # As jail(8) has it: a jail that was not made ready is none. The next task would find it running otherwise.
        from .. import endings

        status.clear_remains(name, phase="failed", message=str(error))
        endings.note(name, endings.Ending(endings.STOPPED, None, str(error)))
        raise


def start_all(names: Sequence[str], *, restarts: int = 0) -> Iterator[tuple[str, int | EngineError]]:
    """Start jails through the supervisor, some at a time, each with all that it needs made before, and no hooks run.

    Gives their pids, or why they did not start, as they come. A supervisor that leaves or dies meanwhile is replaced.
    Callers hold the jails' locks.
    """
    waiting = dict.fromkeys(names)
    reason: Exception | None = None
    for _attempt in range(_ATTEMPTS if names else 0):
        try:
            for name, outcome in _ask_for_starts(list(waiting), restarts):
                del waiting[name]
                yield name, outcome
        except Hung as error:
            yield from [(name, _given_up(name, error)) for name in waiting]
            return
        except (OSError, _Lost) as error:
            reason = error
        except EngineError as error:
            yield from [(name, EngineError(name, error.message, remedy=error.remedy)) for name in waiting]
            return
        for name in list(waiting):
            state = store.read_state(name)
            if state is not None and state.phase == "running" and status.is_alive(state):
                del waiting[name]
                yield name, state.pid
        if not waiting:
            return
    for name in waiting:
        yield name, EngineError(name, f"the supervisor was lost: {reason}", remedy="do it again")


def _ask_for_starts(names: Sequence[str], restarts: int) -> Iterator[tuple[str, int | EngineError]]:
    """The same through the supervisor that there is now; OSError or _Lost when it goes away."""
    with connect() as connection:
        for number, name in enumerate(names):
            if number >= _STARTS_AT_ONCE:
                yield _next_start(connection)
            protocol.send(connection, {"do": protocol.START, "jail": name, "restarts": restarts})
        for _unused in names[-_STARTS_AT_ONCE:]:
            yield _next_start(connection)


def _next_start(connection: socket.socket) -> tuple[str, int | EngineError]:
    try:
        answer = await_answer(connection)
    except ConnectionResetError:
        # It went away with requests of ours unread, but its last answers are still there (unix(7)).
        answer = await_answer(connection)
    if answer is None:
        raise _Lost("", "it went away in the middle of it")
    name = str(answer["jail"])
    try:
        return name, int(protocol.raise_failure(name, answer)["pid"])
    except EngineError as error:
        return name, error


def restart_ended(name: str, instance: str, restarts: int) -> None:
    """Start a jail again that has ended by itself, unless somebody did something about it in the meantime."""
    with store.lock(name) as lock:
        state = store.read_state(name)
        document = store.read_document(name)
        if state is None and document is None:
            # It was removed while we waited; so was the lock, which we have made anew.
            lock.remove()
        if document is None or state is None or state.instance != instance or state.goal != "running":
            return
        if status.has_ended(state) and not status.is_alive(state):
            start(name, effective(document), restarts=restarts)


def connect() -> socket.socket:
    """A connection to the host's supervisor: started if there is none, replaced if it is of another version.

    Hung where there is one that does not answer.
    """
    connection = try_connect()
    if connection is not None:
        from ..install import engine_version, ensure_engine

        if version_of(connection) == engine_version():
            return connection
        # First, because systemd starts the next one at once, from what it then finds.
        ensure_engine()
        _dismiss(connection)
    return _spawn_and_connect()


def dismiss(*, unless: str = "") -> None:
    """Have the host's supervisor leave, unless it is of that version; jails that run get one of ours in its place."""
    connection = try_connect()
    if connection is not None:
        if unless and version_of(connection) == unless:
            connection.close()
            return
        _dismiss(connection)
    if unless:
        keep_watch()


def keep_watch() -> None:
    """Have a supervisor as long as jails run: one that has left, or was killed, is followed at the next start only."""
    if any(status.run_state(name) in ("running", "frozen") for name in store.names()):
        connect().close()


def _dismiss(connection: socket.socket) -> None:
    """Have a supervisor of another version leave; its jails stay, and its successor adopts them.

    It is gone when it hangs up, after the last of the starts that it has begun.
    """
    with connection, contextlib.suppress(OSError):
        connection.settimeout(_PATIENCE_SECONDS)
        protocol.send(connection, {"do": protocol.LEAVE})
        while protocol.receive(connection):
            continue


def _spawn_and_connect() -> socket.socket:
    from .. import boot
    from ..install import ensure_engine

    program = ensure_engine()
    for _attempt in range(_ATTEMPTS):
        if not boot.start_supervisor():
            _spawn([*program, "supervisor"])
        connection = _connect_within(_PATIENCE_SECONDS / _ATTEMPTS)
        if connection is not None:
            return connection
    raise EngineError("", "the supervisor does not answer", remedy="look for its reasons with: jailctl supervisor")


def _connect_within(seconds: float) -> socket.socket | None:
    """A connection to a supervisor that is only just starting; None when it does not, as another one was leaving."""
    deadline = time.monotonic() + seconds
    poll = 0.005
    while time.monotonic() < deadline:
        connection = try_connect()
        if connection is not None:
            return connection
        time.sleep(poll)
        poll = min(poll * 1.2, _LONGEST_POLL_SECONDS)
    return None


def _spawn(command: list[str]) -> None:
    """Start a daemon: the child of a child, in a session and a control group of its own, with nothing of ours.

    A task whose output a daemon holds would never end, and a daemon in the control group of somebody's login would be
    killed with it (logind.conf(5), KillUserProcesses).
    """
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        group = Cgroup(status.hierarchies(), f"{places.CGROUP}/.supervisor")
        group.create()
        if group.fork_member():
            os._exit(0)
        group.join_version_1()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        processes.close_descriptors(())
        os.chdir("/")
        os.execve(command[0], command, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    finally:
        os._exit(1)
