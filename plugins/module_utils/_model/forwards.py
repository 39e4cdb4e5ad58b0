# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .addresses import families_of
from .ports import bounds


class Forward(NamedTuple):
    """Ports of the host that lead to a jail, over one family of addresses.

    ``number`` is that of the entry in ``ip.forwards``; ``host_address`` is empty where all of the host's are meant.
    The jail's ports begin at ``to`` and are as many as those from ``first`` to ``last``.
    """

    number: int
    family: int
    host_address: str
    protocol: str
    first: int
    last: int
    address: str
    to: int

    def overlaps(self, other: Forward) -> bool:
        """Whether a connection could be meant for both."""
        return (
            (self.family, self.protocol) == (other.family, other.protocol)
            and self.first <= other.last
            and other.first <= self.last
            and (self.host_address == other.host_address or not (self.host_address and other.host_address))
        )


def forwards(document: Mapping[str, Any]) -> list[Forward]:
    """The forwards of a canonical document, an entry without addresses once for each family that the jail has."""
    ip = document.get("ip", {})
    if not ip.get("forwards"):
        return []
    first_of: dict[int, str] = {}
    for prefixed in ip.get("addresses", ()):
        address = prefixed.partition("/")[0]
        for family in families_of(address):
            first_of.setdefault(family, address)
    return [found for number, entry in enumerate(ip["forwards"]) for found in _resolve(number, entry, first_of)]


def _resolve(number: int, entry: Mapping[str, Any], first_of: Mapping[int, str]) -> Iterator[Forward]:
    host_address, address = entry.get("host_address", ""), entry.get("address", "")
    first, last = bounds(entry["port"])
    for family, first_address in sorted(first_of.items()):
        if all(family_of(given) == family for given in (host_address, address) if given):
            yield Forward(
                number=number,
                family=family,
                host_address=host_address,
                protocol=entry.get("protocol", "tcp"),
                first=first,
                last=last,
                address=address or first_address,
                to=entry.get("to", first),
            )


def family_of(address: str) -> int:
    """4 or 6."""
    return 6 if ":" in address else 4
