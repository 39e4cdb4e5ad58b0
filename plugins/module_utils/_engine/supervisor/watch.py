# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from ..._kernel import files, pidfd
from ..._kernel.errors import KernelError
from .. import places, status, store
from ..store import RuntimeState
from .log import Log

_CHUNK = 65536


@dataclass
class Watched:
    """A running jail as the supervisor sees it: a pidfd of its init, and the FIFO that its output comes through."""

    name: str
    state: RuntimeState
    pidfd: int
    output: int
    log: Log

    def drain(self, *, everything: bool = False) -> None:
        """Move output into the log: one piece, so that no jail keeps the others waiting, or all that is there."""
        while True:
            try:
                data = os.read(self.output, _CHUNK)
            except BlockingIOError:
                return
            if data:
                self.log.write(data)
            if not data or not everything:
                return

    def close(self) -> None:
        """Stop watching."""
        for fd in (self.pidfd, self.output):
            os.close(fd)
        self.log.close()


def watch(name: str, state: RuntimeState, output: int) -> Watched:
    """Watch a jail that we started; ``output`` becomes ours."""
    os.set_blocking(output, False)
    return Watched(name, state, pidfd.open_pidfd(state.pid), output, Log(places.log(name)))


def adopt(name: str) -> Watched | None:
    """Watch a jail that an earlier supervisor started; None when it does not run."""
    state = store.read_state(name)
    if state is None or state.phase != "running" or not status.is_alive(state):
        return None
    with contextlib.suppress(KernelError, OSError):
        output = os.open(places.output(name), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        return watch(name, state, output)
    return None


def died_unseen() -> list[str]:
    """Names of jails that are on record as running and are not: they ended while nobody watched."""
    try:
        entries = sorted(os.listdir(places.RUNTIME))
    except FileNotFoundError:
        return []
    found = []
    for name in entries:
        if not os.path.isfile(places.state(name)):
            continue
        state = store.read_state(name)
        if state is not None and state.phase == "running" and not status.is_alive(state):
            found.append(name)
    return found


def running() -> list[str]:
    """Names of jails that are on record as running."""
    found = []
    for name in store.names():
        with contextlib.suppress(files.DamagedFile):
            state = store.read_state(name)
            if state is not None and state.phase == "running":
                found.append(name)
    return found
