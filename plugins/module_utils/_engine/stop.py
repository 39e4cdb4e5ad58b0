# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Any

from .._kernel import pidfd
from .._kernel.errors import KernelError
from . import hooks, status, store
from .errors import EngineError
from .store import RuntimeState


def stop(name: str, document: Mapping[str, Any] | None, *, restart: bool = False) -> None:
    """Stop a jail: ask its init by signal, wait as long as the document allows, then kill its control group.

    Callers hold the jail's lock. ``document`` is the effective one; without it (it is damaged, or gone) the jail is
    killed at once. A jail that does not run is cleared of remains. ``restart`` records that a start is to follow, for
    whoever finds the jail when we are killed in between. EngineError when processes cannot be killed.
    """
    state = store.read_state(name)
    goal = "running" if restart else "stopped"
    if state is not None:
        store.note_state(name, state._replace(phase="stopping", goal=goal))
    if state is None or not status.is_alive(state):
        status.clear_remains(name, phase="restarting" if restart else "stopped")
        return
    if document:
        hooks.run_all(name, "prestop", document, pid=state.pid)
        _ask(name, state, document["stop"])
    status.clear_remains(name, phase="restarting" if restart else "stopped")
    _note(name, "it was stopped, to be started again" if restart else "it was stopped")
    if document:
        hooks.run_all(name, "poststop", document)


def _note(name: str, message: str) -> None:
    from . import endings

    endings.note(name, endings.Ending(endings.STOPPED, None, message))


def _ask(name: str, state: RuntimeState, options: Mapping[str, Any]) -> None:
    """Signal the init and wait for its end, up to the document's timeout."""
    number = signal_number(options["signal"])
    members = status.group(name)
    if members.is_frozen():
        members.freeze(False)
    if not _would_notice(state.pid, number):
        return
    try:
        fd = pidfd.open_pidfd(state.pid)
    except KernelError:
        return
    try:
        if status.is_alive(state) and pidfd.send_signal(fd, number):
            pidfd.wait(fd, float(options["timeout"]))
    finally:
        os.close(fd)


def signal_number(name: str) -> int:
    """Number of a canonical signal name: SIGTERM, SIGRTMIN+3."""
    base, _unused, offset = name.partition("+")
    try:
        return int(getattr(signal, base)) + int(offset or 0)
    except AttributeError as error:
        raise EngineError("", f"{name!r} is not a signal", path="stop.signal", remedy="write SIGTERM") from error


def _would_notice(pid: int, number: int) -> bool:
    """Whether a signal reaches an init at all: one that it does not handle never does (pid_namespaces(7))."""
    from .._kernel.process_table import read_status

    told = read_status(pid)
    # SigBlk as well: signalfd(2) takes blocked signals, and that is how reapers work.
    return any(int(told.get(kind, "0"), 16) >> (number - 1) & 1 for kind in ("SigCgt", "SigBlk"))
