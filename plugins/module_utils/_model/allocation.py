# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from binascii import crc32
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import DocumentError

# systemd.io/UIDS-GIDS: 524288 to 1879048191 belong to the containers of a host, in ranges of 65,536. The first range
# stays free: programs that know no allocation take that one.
FIRST_UID = 524288
RANGE = 65536
FIRST_INDEX = 1
LAST_INDEX = 28663


@dataclass(frozen=True)
class Allocation:
    """What a jail has on its host that no other jail has, all of it derived from one number."""

    jail: str
    index: int

    @property
    def uid_base(self) -> int:
        """Host id of the jail's root; RANGE ids follow."""
        return FIRST_UID + self.index * RANGE

    @property
    def interface(self) -> str:
        """Name of the host's end of the jail's network; names have 15 characters at most (IFNAMSIZ)."""
        return f"jl{self.index}"

    @property
    def mac(self) -> str:
        """A locally administered unicast address: unlike any on this host by its index, on others most likely too."""
        octets = bytes([0x02]) + crc32(self.jail.encode()).to_bytes(4, "big")[:3] + self.index.to_bytes(2, "big")
        return octets.hex(":")


def allocate(jail: str, allocations: Mapping[str, Any], *, reserved: Collection[tuple[int, int]] = ()) -> Allocation:
    """The allocation of a jail: the one that it has, else the lowest that is free. Records nothing.

    ``allocations`` is as stored: ``{"web1": {"index": 1}}``. ``reserved`` are id ranges (first, count) that are
    somebody else's, such as those of subuid(5). Raises DocumentError when none is left, or when ``allocations`` is not
    of that shape.
    """
    return allocate_all([jail], allocations, reserved=reserved)[jail]


def allocate_all(
    jails: Iterable[str], allocations: Mapping[str, Any], *, reserved: Collection[tuple[int, int]] = ()
) -> dict[str, Allocation]:
    """The allocations of jails, each as allocate() would make it after those before it."""
    taken = {name: _index(name, entry) for name, entry in allocations.items()}
    free = _free_indexes(set(taken.values()), reserved)
    found: dict[str, Allocation] = {}
    for jail in jails:
        index = taken[jail] if jail in taken else next(free, None)
        if index is None:
            raise DocumentError(
                jail, "", f"all {LAST_INDEX} ranges of user ids are in use", "remove jails of this host"
            )
        taken[jail] = index
        found[jail] = Allocation(jail, index)
    return found


def _free_indexes(taken: Collection[int], reserved: Collection[tuple[int, int]]) -> Iterator[int]:
    blocked = [(_index_of(first), _index_of(first + count - 1)) for first, count in reserved if count > 0]
    for index in range(FIRST_INDEX, LAST_INDEX + 1):
        if index not in taken and not any(low <= index <= high for low, high in blocked):
            yield index


def _index_of(uid: int) -> int:
    return (uid - FIRST_UID) // RANGE


def _index(name: str, entry: Any) -> int:
    index = entry.get("index") if isinstance(entry, Mapping) else None
    if isinstance(index, bool) or not isinstance(index, int) or not FIRST_INDEX <= index <= LAST_INDEX:
        raise DocumentError("", "", f"the allocation of {name} is damaged", "restore allocations.json from a copy")
    return index
