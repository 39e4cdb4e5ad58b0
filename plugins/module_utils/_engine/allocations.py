# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Sequence

from .._kernel import files, namespaces
from .._model.allocation import RANGE, Allocation, allocate, allocate_all
from . import places, store
from .errors import EngineError

_SUBORDINATE_IDS = ("/etc/subuid", "/etc/subgid")


def find(name: str) -> Allocation | None:
    """What a jail has that no other jail of this host has (its ids, its interface); None before it is defined."""
    allocations = _read(name)
    return allocate(name, allocations) if name in allocations else None


def find_all() -> dict[str, Allocation]:
    """What each jail of this host has."""
    allocations = _read("")
    return allocate_all(allocations, allocations)


def claim(name: str) -> Allocation:
    """The allocation of a jail, made now if it has none; no two jails get the same, whoever asks at once."""
    return claim_all([name])[name]


def claim_all(names: Sequence[str]) -> dict[str, Allocation]:
    """The allocations of jails, those that are missing made now: one write for all of them."""
    with files.Lock(f"{places.RUNTIME}/.allocations.lock"):
        allocations = _read(names[0] if len(names) == 1 else "")
        claimed = allocate_all(names, allocations, reserved=_reserved())
        new = {name: {"index": allocation.index} for name, allocation in claimed.items() if name not in allocations}
        if new:
            files.write_json(places.ALLOCATIONS, {**allocations, **new})
    return claimed


def release(name: str) -> None:
    """Give back what a jail had; one that has nothing is no error."""
    with files.Lock(f"{places.RUNTIME}/.allocations.lock"):
        allocations = _read(name)
        if allocations.pop(name, None) is not None:
            files.write_json(places.ALLOCATIONS, allocations)


def _read(name: str) -> dict[str, dict[str, int]]:
    try:
        allocations = files.read_json(places.ALLOCATIONS)
    except files.DamagedFile as error:
        raise EngineError(name, str(error), remedy="restore it from a copy") from error
    if allocations is None and not os.path.exists(places.ALLOCATIONS):
        return {}
    if not isinstance(allocations, dict) or not all(_is_entry(entry) for entry in allocations.values()):
        # What cannot be read may be taken: to start with none would give a jail the ids of another.
        raise EngineError(name, f"{places.ALLOCATIONS} does not hold allocations", remedy="restore it from a copy")
    return allocations


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("index"), int)


def _reserved() -> list[tuple[int, int]]:
    """Ranges that the host gives to its own users (subuid(5))."""
    ranges = []
    for path in _SUBORDINATE_IDS:
        for line in (files.read_text(path) or "").splitlines():
            fields = line.split(":")
            if len(fields) == 3 and fields[1].isdigit() and fields[2].isdigit():
                ranges.append((int(fields[1]), int(fields[2])))
    return ranges


def ensure_user_namespace(allocation: Allocation) -> bool:
    """Make and pin the user namespace of a jail, if it is not there since this boot; whether that was needed."""
    path = places.namespace(allocation.jail, "user")
    if namespaces.is_pinned(path):
        return False
    store.prepare_directories()
    files.make_directory(os.path.dirname(path))
    fd = namespaces.new_user_namespace(base=allocation.uid_base, size=RANGE)
    try:
        namespaces.pin(fd, path)
    finally:
        os.close(fd)
    return True
