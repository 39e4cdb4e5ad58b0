# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from ..._kernel import pidfd
from ..._kernel.errors import KernelError
from .. import places, status, store
from ..store import RuntimeState
from .log import Log
from .outputs import Output
from .syslog import Syslog, listen


@dataclass
class Watched:
    """A running jail as the supervisor sees it: a pidfd of its init, the FIFO that its output comes through, and the
    socket for what it logs if it has one."""

    name: str
    state: RuntimeState
    pidfd: int
    log: Log
    syslog: Syslog | None = None
    output: Output | None = None

    def hear(self) -> None:
        """Move some of what it has logged into the log."""
        if self.syslog:
            self.syslog.drain(self.log)

    def close(self) -> None:
        """Stop watching."""
        os.close(self.pidfd)
        if self.syslog:
            self.syslog.close()
        self.log.close()


def watch(name: str, state: RuntimeState, syslog: Syslog | None = None) -> Watched:
    """Watch a running jail, which takes over ``syslog``; its output is still to be added."""
    return Watched(name, state, pidfd.open_pidfd(state.pid), Log(places.log(name)), syslog)


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
