# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._kernel import files, namespaces
from .._model.allocation import FIRST_INDEX, LAST_INDEX, Allocation, allocate, allocate_all, range_of
from . import places, store
from .errors import DamagedRecord
from .rootfs import directories

_SUBORDINATE_IDS = ("/etc/subuid", "/etc/subgid")
_REMEDY = "restore it from a copy, or write it anew from the rootfs.json of each jail: docs/operating.md says how"
_DATABASES = ("/etc/passwd", "/etc/group")


def find(name: str) -> Allocation | None:
    """What a jail has that no other jail of this host has (its ids, its interface); None before it is defined."""
    allocations = _read(name)
    return allocate(name, allocations) if name in allocations else None


def find_all() -> dict[str, Allocation]:
    """What each jail of this host has."""
    allocations = _read("")
    return allocate_all(allocations, allocations)


def claim(name: str, document: Mapping[str, Any] | None = None) -> Allocation:
    """The allocation of a jail, made now if it has none; no two jails get the same, whoever asks at once.

    ``document``, canonical or effective, may ask for certain ids. DocumentError where these are another's.
    """
    return claim_all({name: document})[name]


def claim_all(documents: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Allocation]:
    """The allocations of jails by their documents, those that are missing made now: one write for all of them."""
    with files.Lock(f"{places.RUNTIME}/.allocations.lock"):
        allocations = _read(next(iter(documents)) if len(documents) == 1 else "")
        claimed = _allocate(documents, allocations)
        new = {name: allocation.entry() for name, allocation in claimed.items() if name not in allocations}
        if new:
            files.write_json(places.ALLOCATIONS, {**allocations, **new})
    return claimed


def refuse_unusable(name: str, document: Mapping[str, Any]) -> None:
    """DocumentError for a document that asks for ids that the jail cannot have. Claims nothing."""
    allocations = _read(name)
    if range_of(document) or name in allocations:
        _allocate({name: document}, allocations)


def _allocate(
    documents: Mapping[str, Mapping[str, Any] | None], allocations: Mapping[str, dict[str, int]]
) -> dict[str, Allocation]:
    fixed = {name: asked for name, document in documents.items() for asked in [range_of(document or {})] if asked}
    claimed = allocate_all(documents, allocations, reserved=_reserved(users=bool(fixed)), fixed=fixed)
    unsure = {name for name, document in documents.items() if document and not claimed[name].ids.size}
    if fixed or unsure:
        from .._model.fixed_ids import refuse_other_ids

        for name in sorted(unsure.union(fixed)):
            refuse_other_ids(claimed[name], documents[name] or {})
    return claimed


def release(name: str) -> None:
    """Give back what a jail had; one that has nothing is no error."""
    with files.Lock(f"{places.RUNTIME}/.allocations.lock"):
        allocations = _read(name)
        if allocations.pop(name, None) is not None:
            files.write_json(places.ALLOCATIONS, allocations)


def _read(name: str) -> dict[str, dict[str, int]]:
    allocations = _read_file(name)
    if allocations is not None:
        return allocations
    # Ids are written before the root that has them is made: what is found first, and has none in a file read later,
    # has lost them.
    owner = next((entry for entry in directories.entries(directories.ROOTS) if entry[0] != "."), "")
    allocations = _read_file(name)
    if allocations is None and owner:
        # To begin anew would give them to the next jail.
        message = f"{places.ALLOCATIONS} is gone, and jail {owner} has a root file system with the ids that it says"
        raise DamagedRecord(name, message, remedy=_REMEDY)
    return allocations or {}


def _read_file(name: str) -> dict[str, dict[str, int]] | None:
    try:
        allocations = files.read_json(places.ALLOCATIONS)
    except files.DamagedFile as error:
        raise DamagedRecord(name, str(error), remedy=_REMEDY) from error
    if allocations is None:
        return None
    if not isinstance(allocations, dict) or not all(_is_entry(entry) for entry in allocations.values()):
        # What cannot be read may be taken: to start with none would give a jail the ids of another.
        raise DamagedRecord(name, f"{places.ALLOCATIONS} does not hold allocations", remedy=_REMEDY)
    return allocations


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, dict) or not all(map(_is_integer, entry.values())):
        return False
    return bool(FIRST_INDEX <= entry.get("index", 0) <= LAST_INDEX)


def _is_integer(value: object) -> bool:
    """In JSON true is no number, as it is in Python."""
    return isinstance(value, int) and not isinstance(value, bool)


def _reserved(*, users: bool) -> list[tuple[int, int]]:
    """Ranges that the host gives to its own users (subuid(5)), and with ``users`` the ids of these themselves.

    Those that are found without a request are none of a user's anyway (systemd.io/UIDS-GIDS).
    """
    ranges = [(int(first), int(count)) for first, count in _fields(_SUBORDINATE_IDS, 1, 2)]
    if users:
        ranges += [(int(number), 1) for (number,) in _fields(_DATABASES, 2)]
    return ranges


def _fields(paths: Sequence[str], *positions: int) -> Iterator[list[str]]:
    """Fields of the lines of databases (passwd(5)) where all of them are numbers."""
    for path in paths:
        for line in (files.read_text(path) or "").splitlines():
            fields = line.split(":")
            found = [fields[position] for position in positions if position < len(fields)]
            if len(found) == len(positions) and all(field.isdecimal() for field in found):
                yield found


def ensure_user_namespace(allocation: Allocation) -> bool:
    """Make and pin the user namespace of a jail, if it has one that is not there since this boot; whether it did."""
    path = places.namespace(allocation.jail, "user")
    if namespaces.is_pinned(path):
        return False
    store.prepare_directories()
    files.make_directory(os.path.dirname(path))
    if not allocation.ids.size:
        return False
    from .._kernel import user_namespaces  # Most calls make none.

    fd = user_namespaces.create(base=allocation.uid_base, size=allocation.ids.size)
    try:
        namespaces.pin(fd, path)
    finally:
        os.close(fd)
    return True
