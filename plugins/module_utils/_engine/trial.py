# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""A jail that runs for a while under other privileges than those of its document, which stays as it is.

It is started by this process and not by the supervisor, with everything else that is its own: root, network, limits,
devices and hooks. Should we be killed, it is as well, and whatever is done to the jail next clears the rest of it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._kernel import processes
from .._model.document import effective, normalise
from . import allocations, enter, network, places, start, status, stop, store
from .enter import Entry
from .errors import EngineError
from .hooks import run_all
from .launch import launcher
from .supervisor.client import make_ready
from .supervisor.log import Log

_PAUSE = 0.25
_CHUNK = 65536
_ENDED = "it ended"
_KILLED = 128 + signal.SIGKILL


def document_with(name: str, caps: Mapping[str, Any]) -> dict[str, Any]:
    """The effective document of a jail with another ``caps`` section. DocumentError for one that cannot be."""
    document = store.read_document(name)
    if document is None:
        raise EngineError(name, "is not defined", remedy="define it with the jail module first")
    return effective(normalise({**document, "caps": dict(caps)}, jail=name))


class Trial:
    """A jail under trial. ``killed`` tells, once it is over, whether its init had to be killed to end it."""

    def __init__(self, name: str, document: Mapping[str, Any]) -> None:
        self.name = name
        self.document = document
        self.killed = False
        self._init = 0
        self._attendant = 0
        self._output = -1

    def is_alive(self) -> bool:
        """Whether its init still runs."""
        return status.is_alive(store.read_state(self.name))

    def start(self) -> None:
        """Start it, with all that belongs to a start. EngineError or KernelError where that cannot be."""
        allocation = allocations.claim(self.name, self.document)
        allocations.ensure_user_namespace(allocation)
        network.ensure(dict(self.document), allocation.number)
        run_all(self.name, "prestart", self.document)
        starting = start.begin(self.name, trial=self.document)
        self._output = starting.output
        # Before the jail is let go: from then on it does not end with us by itself.
        self._attendant = _attend(self.name, self._output)
        launched = launcher.complete(starting.launch)
        self._init = launched.pid
        os.close(launched.pidfd)
        starting.record(launched)
        make_ready(self.name, self.document, self._init)

    def end(self) -> None:
        """Stop it, however far its start has come."""
        try:
            stop.stop(self.name, self.document)
        finally:
            if self._output >= 0:
                os.close(self._output)
            if self._attendant:
                os.kill(self._attendant, signal.SIGKILL)
                _bury(self._attendant)
        # Not one that cannot be killed, on which we would wait for ever.
        if self._init:
            self.killed = _bury(self._init) == -signal.SIGKILL


@contextlib.contextmanager
def running(name: str, document: Mapping[str, Any]) -> Iterator[Trial]:
    """A jail started from an effective document for the length of a block. Callers hold its lock; it does not run.

    What its command prints goes into its log.
    """
    trial = Trial(name, document)
    try:
        trial.start()
        yield trial
    finally:
        trial.end()


def _bury(pid: int) -> int | None:
    """How a child ended; None for one that is none of ours, as the init of a jail that boots."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return None


def _attend(name: str, output: int) -> int:
    """A process that moves what the jail prints into its log, and ends the jail should we die; its pid.

    With nobody to read, the jail's command would stop at 64 KiB.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.signal(signal.SIGTERM, lambda *_: _end(name))
        processes.set_parent_death_signal(signal.SIGTERM)
        if os.getppid() != parent:
            _end(name)
        processes.close_descriptors({output})
        log = Log(places.log(name))
        while data := os.read(output, _CHUNK):
            log.write(data)
    finally:
        os._exit(0)


def _end(name: str) -> None:
    status.group(name).kill()
    os._exit(0)


def watch(trial: Trial, seconds: float) -> str:
    """See that a jail keeps running so long; why it does not, or nothing."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and trial.is_alive():
        time.sleep(min(_PAUSE, seconds))
    return "" if trial.is_alive() else _ENDED


def exercise(name: str, trial: Trial, command: Sequence[str], seconds: float) -> str:
    """Run a command in a jail again and again until it succeeds; why it never did, or nothing."""
    deadline = time.monotonic() + seconds
    failure = f"{command[0]} does not end in time"
    while time.monotonic() < deadline and trial.is_alive():
        left = max(_PAUSE, deadline - time.monotonic())
        try:
            code = enter.run_quietly(name, Entry(command=tuple(command)), timeout=left)
        except EngineError as error:
            failure = error.message
        else:
            if code == 0 and trial.is_alive():
                return ""
            # The time of the last one is short, and what those before have come to says more.
            if code != _KILLED:
                failure = f"{command[0]} ends with status {code}"
        time.sleep(_PAUSE)
    return failure if trial.is_alive() else _ENDED
