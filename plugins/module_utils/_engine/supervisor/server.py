# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import gc
import os
import resource
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..._kernel import files, processes
from ..._kernel.errors import KernelError
from ..._kernel.nfnetlink import TableNews
from .. import places, start, status, store
from ..errors import EXPECTED, EngineError
from ..firewall_state import TABLE
from ..launch.launcher import DEADLINE_SECONDS
from ..start import Starting
from ..store import RuntimeState
from . import aftermath, client, protocol
from .connection import has_hung_up
from .outputs import Output, Outputs
from .reader import open_fifo
from .watch import Watched, adopt, died_unseen, ended, running, watch

# A supervisor with nothing to watch stays this long for the next request, and ends.
IDLE_SECONDS = 3.0
# A supervisor that leaves ends the starts that it has begun; its successor waits for it.
HANDOVER_SECONDS = DEADLINE_SECONDS + 5.0
_POLL_SECONDS = 0.01
# A child that was lost is followed by another after this long.
_AGAIN_SECONDS = 1.0


class Server:
    """The built-in supervisor: one process a host, one loop, no threads.

    It starts jails from its warm memory, moves their output into logs, and starts them again by their policy.
    Whatever may wait (for a lock, for a hook) is done by a forked child. It can be killed at any time: jails do not
    depend on it, and the next one adopts them.
    """

    def __init__(self, listener: socket.socket, version: str, *, stay: bool = False) -> None:
        self.version = version
        self.stay = stay
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._starts: dict[str, tuple[Starting, socket.socket]] = {}
        self._watched: dict[str, Watched] = {}
        self._outputs = Outputs(self._register, self._unregister)
        # What follows when they have ended, with their wait status.
        self._children: dict[int, Callable[[int], None]] = {}
        self._timers: dict[str, tuple[float, Callable[[], None]]] = {}
        self._connections: set[socket.socket] = set()
        self._leaving = False
        self._idle_since = time.monotonic()

    def serve(self) -> None:
        """Run until there is nothing to watch any more (unless told to ``stay``), or until told to leave."""
        processes.set_undumpable()
        processes.set_child_subreaper()
        gc.freeze()
        signals, wakeup = _signal_pipe()
        self._register(signals, lambda: self._reap(signals))
        self._register(self._listener.fileno(), self._accept)
        with contextlib.suppress(KernelError):  # a kernel without nf_tables
            self._register_news(TableNews())
        for name in running():
            watched = adopt(name)
            if watched:
                self._watch(watched, self._outputs.adopt(places.output(name), watched.log))
        for name in died_unseen():
            self._settle(name, None, ran_for=0.0)
        for name, state in ended():
            self._plan_restart(name, state, ran_for=0.0)
        while not self._is_done():
            for key, _unused in self._selector.select(self._timeout()):
                key.data()
            self._run_timers()
            self._outputs.give_up()
            self._give_up_starts()
        os.close(wakeup)

    # The loop

    def _register(self, fd: int, callback: Callable[[], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def _unregister(self, fd: int) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(fd)

    def _register_news(self, news: TableNews) -> None:
        """Who flushes the host's packet filter takes the jails' rules along: they are made anew at once.

        What we have changed ourselves comes in here, too; the child then finds everything as it should be.
        """

        def hear() -> None:
            if news.is_lost(TABLE):
                self._restore_rules()

        self._register(news.fileno(), hear)

    def _restore_rules(self) -> None:
        def follow(wait_status: int) -> None:
            if os.WIFSIGNALED(wait_status):
                self._do_in(_AGAIN_SECONDS, "", self._restore_rules)

        self._children[aftermath.in_child(aftermath.restore_rules)] = follow

    def _is_done(self) -> bool:
        if self._starts:
            return False
        if self._leaving:
            # Children end their work without us; they may be waiting for a lock of whoever wants us to leave.
            return True
        if self._children:
            return False
        if self.stay or self._watched or self._timers or self._connections:
            self._idle_since = time.monotonic()
        return time.monotonic() - self._idle_since >= IDLE_SECONDS

    def _timeout(self) -> float | None:
        moments = [moment for moment, _unused in self._timers.values()]
        moments += [starting.launch.deadline for starting, _unused in self._starts.values()]
        if self._outputs.deadline is not None:
            moments.append(self._outputs.deadline)
        if not self._watched and not self._connections:
            moments.append(self._idle_since + IDLE_SECONDS)
        return max(0.0, min(moments) - time.monotonic()) + 0.001 if moments else None

    # Requests

    def _accept(self) -> None:
        connection, _unused = self._listener.accept()
        self._connections.add(connection)
        self._register(connection.fileno(), lambda: self._answer(connection))

    def _answer(self, connection: socket.socket) -> None:
        try:
            request = protocol.receive(connection)
        except (OSError, ValueError):
            request = None
        if request is None:
            self._hang_up(connection)
        elif request["do"] == protocol.START:
            if has_hung_up(connection):
                return  # Nobody holds the jail's lock any more.
            self._begin(str(request["jail"]), int(request.get("restarts", 0)), connection)
        elif request["do"] == protocol.LEAVE:
            self._leave()
            self._say(connection, {"ok": True})
        else:
            self._say(connection, {"ok": True, "version": self.version, "pid": os.getpid()})

    def _leave(self) -> None:
        """Take no more requests: who asks from now on starts our successor, which waits for our end."""
        if not self._leaving:
            self._leaving = True
            self._selector.unregister(self._listener)
            os.unlink(places.SUPERVISOR_SOCKET)

    def _hang_up(self, connection: socket.socket) -> None:
        self._connections.discard(connection)
        self._selector.unregister(connection)
        connection.close()

    @staticmethod
    def _say(connection: socket.socket, answer: dict[str, Any]) -> None:
        # A client that has gone reads the outcome from the jail's state.
        with contextlib.suppress(OSError):
            protocol.send(connection, answer)

    # Starts

    def _begin(self, name: str, restarts: int, connection: socket.socket) -> None:
        self._timers.pop(name, None)
        try:
            if name in self._starts:
                raise EngineError(name, "is being started already")
            starting = start.begin(name, restarts=restarts)
        except EXPECTED as error:
            self._say(connection, {"jail": name, **protocol.failure(error)})
            return
        self._starts[name] = (starting, connection)
        self._register(starting.launch.fd, lambda: self._advance(name))
        try:
            # Before anything of the jail runs, which could keep us from it. One that nobody could watch would wait for
            # ever for somebody to read what it prints.
            starting.reading = open_fifo(places.output(name))
        except OSError as error:
            self._abandon(name, error)

    def _advance(self, name: str) -> None:
        starting, connection = self._starts[name]
        fd = starting.launch.fd
        try:
            launched = starting.launch.advance()
            if launched is None:
                return
            os.close(launched.pidfd)
            watched = watch(name, starting.record(launched), starting.syslog)
        except (EngineError, KernelError, OSError) as error:
            self._abandon(name, error)
            return
        self._selector.unregister(fd)
        del self._starts[name]
        starting.launch.close()
        os.close(starting.output)
        if name in self._watched:
            self._forget(self._watched[name])
        self._watch(watched, self._outputs.add(places.output(name), watched.log, fd=starting.reading))
        self._say(connection, {"jail": name, "ok": True, "pid": watched.state.pid})

    def _abandon(self, name: str, error: Exception) -> None:
        starting, connection = self._starts.pop(name)
        self._selector.unregister(starting.launch.fd)
        try:
            starting.abandon(error)
        except (EngineError, KernelError) as stuck:
            error = stuck
        self._say(connection, {"jail": name, **protocol.failure(error)})
        self._reap_strangers()

    def _give_up_starts(self) -> None:
        now = time.monotonic()
        for name in [name for name, (starting, _unused) in self._starts.items() if starting.launch.deadline < now]:
            self._abandon(name, EngineError(name, "the start did not end in time and was given up"))

    # Running jails

    def _watch(self, watched: Watched, output: Output) -> None:
        watched.output = output
        if watched.syslog:
            self._register(watched.syslog.fileno(), watched.hear)
        self._register(watched.pidfd, lambda: self._ended(watched))
        self._watched[watched.name] = watched

    def _forget(self, watched: Watched) -> None:
        if watched.output:
            self._outputs.remove(watched.output)
        if watched.syslog:
            self._unregister(watched.syslog.fileno())
        self._unregister(watched.pidfd)
        watched.close()
        if self._watched.get(watched.name) is watched:
            del self._watched[watched.name]

    def _ended(self, watched: Watched) -> None:
        self._unregister(watched.pidfd)
        if watched.output:
            self._outputs.finish(watched.output, lambda: self._said_all(watched))

    def _said_all(self, watched: Watched) -> None:
        watched.hear()
        self._forget(watched)
        exit_status = self._exit_status(watched.state.pid)
        self._settle(watched.name, exit_status, ran_for=time.time() - watched.state.started_at)
        self._reap_strangers()

    @staticmethod
    def _exit_status(pid: int) -> int | None:
        """How our child ended; None for an adopted jail, whose parent is somebody else."""
        try:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except ChildProcessError:
            return None

    def _settle(self, name: str, exit_status: int | None, *, ran_for: float) -> None:
        state = store.read_state(name)
        if state is None or state.phase != "running":
            return
        pid = aftermath.in_child(aftermath.settle, name, state.instance, exit_status)
        self._children[pid] = lambda _unused: self._settled(name, state, exit_status, ran_for)

    def _settled(self, name: str, before: RuntimeState, exit_status: int | None, ran_for: float) -> None:
        """Where nothing came of it the child was killed, or has waited for the jail's lock in vain: do it again."""
        state = store.read_state(name)
        if state is None or state.instance != before.instance:
            return
        if state.phase == "running" and not status.is_alive(state):
            self._do_in(_AGAIN_SECONDS, name, lambda: self._settle(name, exit_status, ran_for=ran_for))
        else:
            self._plan_restart(name, before, ran_for=ran_for)

    def _plan_restart(self, name: str, before: RuntimeState, *, ran_for: float, tried: int = 0) -> None:
        """``tried`` is the number of the restart of which nothing has come, if there was one."""
        state = store.read_state(name)
        if state is None or state.instance != before.instance or not status.has_ended(state):
            return
        try:
            plan = aftermath.restart_delay(
                name, state._replace(restarts=max(tried, state.restarts)), ran_for=0.0 if tried else ran_for
            )
        except (EngineError, KernelError):
            return
        if plan:
            delay, restarts = plan
            self._do_in(max(delay, _AGAIN_SECONDS if tried else 0.0), name, lambda: self._restart(name, restarts))

    def _restart(self, name: str, restarts: int) -> None:
        state = store.read_state(name)
        if state is not None:
            pid = aftermath.in_child(client.restart_ended, name, state.instance, restarts)
            self._children[pid] = lambda _unused: self._plan_restart(name, state, ran_for=0.0, tried=restarts)

    def _do_in(self, seconds: float, name: str, work: Callable[[], None]) -> None:
        self._timers[name] = (time.monotonic() + seconds, work)

    def _run_timers(self) -> None:
        now = time.monotonic()
        for name in [name for name, (moment, _unused) in self._timers.items() if moment <= now]:
            _unused, work = self._timers.pop(name)
            work()

    def _reap(self, signals: int) -> None:
        """Our own children, by their pids: the inits of jails are left to ``_ended``, which wants their status."""
        os.read(signals, 4096)
        for pid in list(self._children):
            ended, wait_status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._children.pop(pid)(wait_status)
        self._reap_strangers()

    def _reap_strangers(self) -> None:
        """Reap whom we have become the parent of: the first process of a start that failed, what a hook left running.

        Not while a start is under way, whose launcher may not yet know the pid that it needs.
        """
        ours = {watched.state.pid for watched in self._watched.values()} | set(self._children)
        with contextlib.suppress(ChildProcessError):
            while not self._starts:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if ended is None or ended.si_pid in ours:
                    return
                os.waitpid(ended.si_pid, 0)


def _signal_pipe() -> tuple[int, int]:
    """A pipe that becomes readable with every SIGCHLD; SIGTERM and SIGINT end the process, which jails survive."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader, writer


@contextlib.contextmanager
def _listening() -> Iterator[socket.socket]:
    """The socket that requests come to, for the host's root alone; it goes with us."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(places.SUPERVISOR_SOCKET)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as listener:
        listener.bind(places.SUPERVISOR_SOCKET)
        listener.listen(128)
        try:
            yield listener
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(places.SUPERVISOR_SOCKET)


def main(version: str, *, stay: bool = False) -> int:
    """Supervise this host's jails until there are none; exit status 0, also when somebody else does it already.

    One that is to ``stay`` follows whoever does it: a service manager's must not end because a task was quicker.
    """
    os.umask(0o077)
    os.chdir("/")
    # Jails inherit it, and should not have that of whoever happened to start the first of them (setpriority(2)).
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    _raise_descriptor_limit()
    store.prepare_directories()
    if stay:
        client.dismiss()
    lock = files.Lock(f"{places.RUNTIME}/.supervisor.lock", timeout=0.0)
    if _take_over(lock):
        with _listening() as listener:
            Server(listener, version, stay=stay).serve()
    return 0


def _raise_descriptor_limit() -> None:
    """Two or three descriptors a jail: the usual soft limit of 1,024 would end a host at some hundred jails."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _take_over(lock: files.Lock) -> bool:
    """Become the supervisor, as soon as one that is leaving has left; False while another one serves."""
    deadline = time.monotonic() + HANDOVER_SECONDS
    while True:
        try:
            lock.acquire()
            return True
        except files.LockBusy:
            if os.path.exists(places.SUPERVISOR_SOCKET) or time.monotonic() > deadline:
                return False
        time.sleep(_POLL_SECONDS)
