# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from ..._kernel import pidfd
from ..._kernel.errors import KernelError
from .. import places, status, store
from ..store import RuntimeState
from .log import Log
from .syslog import Syslog, listen

_CHUNK = 65536
_MOST_PIECES = 32


@dataclass
class Watched:
    """A running jail as the supervisor sees it: a pidfd of its init, the FIFO that its output comes through, and the
    socket for what it logs if it has one."""

    name: str
    state: RuntimeState
    pidfd: int
    output: int
    log: Log
    syslog: Syslog | None = None

    def drain(self, *, everything: bool = False) -> None:
        """Move output into the log: one piece, so that no jail keeps the others waiting, or all that is there.

        All is bounded too: another jail may hold the FIFO, handed over on a shared volume, and write for ever.
        """
        for _piece in range(_MOST_PIECES if everything else 1):
            try:
                data = os.read(self.output, _CHUNK)
            except BlockingIOError:
                return
            if data:
                self.log.write(data)
            if not data:
                return

    def hear(self) -> None:
        """Move some of what it has logged into the log."""
        if self.syslog:
            self.syslog.drain(self.log)

    def close(self) -> None:
        """Stop watching."""
        for fd in (self.pidfd, self.output):
            os.close(fd)
        if self.syslog:
            self.syslog.close()
        self.log.close()


def watch(name: str, state: RuntimeState, syslog: Syslog | None = None) -> Watched:
    """Watch a running jail, which takes over ``syslog``.

    Its output is opened anew: O_NONBLOCK belongs to an open file description (open(2)), and on the jail's own it would
    make programs lose what they print faster than we read.
    """
    output = os.open(places.output(name), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if not stat.S_ISFIFO(os.fstat(output).st_mode):
            raise KernelError("watch", places.output(name), errno.EINVAL)
        return Watched(name, state, pidfd.open_pidfd(state.pid), output, Log(places.log(name)), syslog)
    except KernelError:
        os.close(output)
        raise


def adopt(name: str) -> Watched | None:
    """Watch a jail that an earlier supervisor started; None when it does not run."""
    state = store.read_state(name)
    if state is None or state.phase != "running" or not status.is_alive(state):
        return None
    with contextlib.suppress(KernelError, OSError):
        return watch(name, state, listen(name) if os.path.isdir(places.syslog(name)) else None)
    return None


def died_unseen() -> list[str]:
    """Names of jails that are on record as running and are not: they ended while nobody watched."""
    return [name for name, state in _on_record() if state.phase == "running" and not status.is_alive(state)]


def running() -> list[str]:
    """Names of jails that are on record as running."""
    return [name for name, state in _on_record() if state.phase == "running"]


def ended() -> list[tuple[str, RuntimeState]]:
    """Jails that ran and ended by themselves: whoever was to start them again may have ended before or amidst that."""
    return [
        (name, state)
        for name, state in _on_record()
        if status.has_ended(state) and state.goal == "running" and (state.started_at or state.phase == "starting")
    ]


def _on_record() -> Iterator[tuple[str, RuntimeState]]:
    try:
        entries = sorted(os.listdir(places.RUNTIME))
    except FileNotFoundError:
        return
    for name in entries:
        state = store.read_state(name) if os.path.isfile(places.state(name)) else None
        if state is not None:
            yield name, state
