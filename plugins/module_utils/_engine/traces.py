# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os

from .._kernel import files
from .._kernel.cgroups import Cgroup
from . import places, status, store
from .steps import Step

_LOCKS = f"{places.RUNTIME}/.templates"
_DIRECTORIES = (
    _LOCKS,
    places.RUNTIME,
    f"{places.STATE}/templates",
    f"{places.STATE}/roots",
    places.STATE,
    places.LOGS,
    places.DOCUMENTS,
)
_GROUPS = (f"{places.CGROUP}/.supervisor", places.BOUND, places.CONTEXTS, places.CGROUP)


def plan() -> list[Step]:
    """What it takes to have nothing left of an engine that has no jails and no templates any more.

    Where there are some the operator removes the engine only to install another: everything stays.
    """
    if store.names() or _entries(f"{places.STATE}/templates") or _entries(f"{places.STATE}/roots"):
        return []
    present = [path for path in _DIRECTORIES if os.path.isdir(path)]
    groups = [name for name in _GROUPS if any(map(os.path.isdir, Cgroup(status.hierarchies(), name).directories))]
    return [Step("remove the empty directories and control groups of the engine", _remove)] if present + groups else []


def _remove() -> None:
    """What is not empty stays: it is not ours."""
    from .supervisor import client
    from .verify import litter

    client.dismiss()
    if os.path.isdir(places.STATE):
        litter.sweep()
    for name in _GROUPS:
        Cgroup(status.hierarchies(), name).remove()
    for path in (*_locks(), places.SUPERVISOR_SOCKET, places.HOST, places.RESERVATIONS):
        files.remove_file(path)
    if files.read_json(places.ALLOCATIONS) in (None, {}):
        files.remove_file(places.ALLOCATIONS)
    for directory in _DIRECTORIES:
        with contextlib.suppress(OSError):
            os.rmdir(directory)


def _locks() -> list[str]:
    found = [f"{_LOCKS}/{name}" for name in _entries(_LOCKS)]
    return found + [f"{places.RUNTIME}/{name}" for name in _entries(places.RUNTIME) if name.endswith(".lock")]


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
