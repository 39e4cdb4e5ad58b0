# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from binascii import crc32
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .errors import DocumentError

# systemd.io/UIDS-GIDS: 524288 to 1879048191 belong to the containers of a host, in ranges of 65,536. The first range
# stays free: programs that know no allocation take that one.
FIRST_UID = 524288
RANGE = 65536
FIRST_INDEX = 1
LAST_INDEX = 28663


# Ids from 2^31 on are negative to programs that are older than they should be (systemd.io/UIDS-GIDS).
END_OF_IDS = 1 << 31


class IdRange(NamedTuple):
    """Ids of the host, the first and how many; both are multiples of RANGE."""

    base: int
    size: int = RANGE


IDS_OF_THE_HOST = IdRange(0, 0)  # of a jail without a user namespace, which has none of its own


class Allocation(NamedTuple):
    """What a jail has on its host that no other jail has: a number, and what is derived from that.

    ``fixed`` are the ids that its document asks for, instead of those that go with the number.
    """

    jail: str
    number: int
    fixed: IdRange | None = None

    @property
    def ids(self) -> IdRange:
        """Ids of the host that are the jail's, none where it has no user namespace."""
        return self.fixed or IdRange(FIRST_UID + self.number * RANGE)

    @property
    def uid_base(self) -> int:
        """Host id of the jail's root."""
        return self.ids.base

    def entry(self) -> dict[str, int]:
        """As it is recorded."""
        return {"index": self.number, **(self.fixed._asdict() if self.fixed else {})}

    @property
    def interface(self) -> str:
        """Name of the host's end of the jail's network; names have 15 characters at most (IFNAMSIZ)."""
        return f"jl{self.number}"

    @property
    def mac(self) -> str:
        """A locally administered unicast address: unlike any on this host by its number, on others most likely too."""
        octets = bytes([0x02]) + crc32(self.jail.encode()).to_bytes(4, "big")[:3] + self.number.to_bytes(2, "big")
        return octets.hex(":")


def range_of(document: Mapping[str, Any]) -> IdRange | None:
    """The ids that a document asks for, canonical or effective; None where any of a jail's own will do."""
    asked = (document.get("caps") or {}).get("user_namespace")
    if asked is False:
        return IDS_OF_THE_HOST
    return IdRange(asked["base"], asked["size"]) if isinstance(asked, Mapping) else None


def allocate(
    jail: str,
    allocations: Mapping[str, Any],
    *,
    reserved: Collection[tuple[int, int]] = (),
    fixed: IdRange | None = None,
) -> Allocation:
    """The allocation of a jail: the one that it has, else the lowest that is free. Records nothing.

    ``allocations`` is as stored: ``{"web1": {"index": 1}}``, with ``base`` and ``size`` where they are ``fixed``.
    ``reserved`` are id ranges (first, count) that are somebody else's, such as those of subuid(5). Raises DocumentError
    when none is left, when fixed ones are another's, or when ``allocations`` is not of that shape.
    """
    return allocate_all([jail], allocations, reserved=reserved, fixed={jail: fixed} if fixed else {})[jail]


def allocate_all(
    jails: Iterable[str],
    allocations: Mapping[str, Any],
    *,
    reserved: Collection[tuple[int, int]] = (),
    fixed: Mapping[str, IdRange] | None = None,
) -> dict[str, Allocation]:
    """The allocations of jails, each as allocate() would make it after those before it."""
    known = {name: _allocation(name, entry) for name, entry in allocations.items()}
    new = {jail: asked for jail, asked in (fixed or {}).items() if jail not in known}
    others = [*reserved, *new.values(), *(each.fixed for each in known.values() if each.fixed)]
    free = _free_indexes({each.number for each in known.values()}, others)
    found: dict[str, Allocation] = {}
    for jail in jails:
        if jail not in known:
            index = next(free, None)
            if index is None:
                raise DocumentError(
                    jail, "", f"all {LAST_INDEX} ranges of user ids are in use", "remove jails of this host"
                )
            known[jail] = Allocation(jail, index, new.get(jail))
            if jail in new:
                from .fixed_ids import refuse_taken_ids

                refuse_taken_ids(known[jail], known.values(), reserved)
        found[jail] = known[jail]
    return found


def _free_indexes(taken: Collection[int], reserved: Collection[tuple[int, int]]) -> Iterator[int]:
    blocked = [(_index_of(first), _index_of(first + count - 1)) for first, count in reserved if count > 0]
    for index in range(FIRST_INDEX, LAST_INDEX + 1):
        if index not in taken and not any(low <= index <= high for low, high in blocked):
            yield index


def _index_of(uid: int) -> int:
    return (uid - FIRST_UID) // RANGE


def _allocation(name: str, entry: Any) -> Allocation:
    values = entry if isinstance(entry, Mapping) else {}
    index = _whole(name, values.get("index"), FIRST_INDEX, LAST_INDEX)
    if "base" not in values:
        return Allocation(name, index)
    if values["base"] == values.get("size") == 0:
        return Allocation(name, index, IDS_OF_THE_HOST)
    base, size = (_whole(name, values.get(key), RANGE, END_OF_IDS) for key in IdRange._fields)
    return Allocation(name, index, IdRange(base, size))


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise DocumentError("", "", f"the allocation of {name} is damaged", "restore allocations.json from a copy")
    return value
