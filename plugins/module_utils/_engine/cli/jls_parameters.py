# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .. import places

Row = Mapping[str, Any]

# FreeBSD's words for what a jail has of a facility: its own, the host's, none (jail(8)).
_OF_MODE = {"vnet": "new", "shared": "new", "host": "inherit", "none": "disable"}


class Parameter(NamedTuple):
    """A jail parameter as jls(8) prints it. ``settable`` is not True of what only the engine decides.

    ``of`` is the facility whose part it is (``ip4`` of ``ip4.addr``): only a jail's own is ever set.
    """

    name: str
    read: Callable[[Row], Any]
    settable: bool = True
    of: str = ""

    def is_used(self, row: Row) -> bool:
        """Whether it means something for this jail."""
        return not self.of or PARAMETERS[self.of].read(row) == "new"


def number_of(row: Row) -> int:
    """The JID: the jail's number on this host, which it keeps for life."""
    return int(row["id"] or 0)


def path_of(row: Row) -> str:
    """Where the host keeps what the jail has written; the rest of its root is in its template."""
    return f"{places.STATE}/roots/{row['name']}"


def addresses_of(row: Row, version: int) -> list[str]:
    """The jail's addresses of one family, without their lengths."""
    found = [ipaddress.ip_interface(text).ip for text in row["addresses"]]
    return [str(address) for address in found if address.version == version]


def address_of(row: Row) -> str:
    """The first IPv4 address, nothing where there is none."""
    return next(iter(addresses_of(row, 4)), "")


def _ip(version: int) -> Callable[[Row], str]:
    def read(row: Row) -> str:
        way = _OF_MODE.get(row["ip_mode"] or "none", "disable")
        return "disable" if way == "new" and not addresses_of(row, version) else way

    return read


def _addresses(version: int) -> Callable[[Row], list[str]]:
    return lambda row: addresses_of(row, version)


# In the order of jls(8): those of the jail as a whole by name, then those of a facility.
PARAMETERS: dict[str, Parameter] = {
    one.name: one
    for one in (
        Parameter("depend", lambda row: list(row["depends"])),
        Parameter("dying", lambda row: row["state"] == "stuck", settable=False),
        Parameter("host", lambda row: "new"),
        Parameter("ip4", _ip(4)),
        Parameter("ip6", _ip(6)),
        Parameter("jid", number_of),
        Parameter("name", lambda row: row["name"]),
        Parameter("parent", lambda row: 0, settable=False),
        Parameter("path", path_of),
        Parameter("persist", lambda row: False),
        Parameter("vnet", lambda row: "new" if row["ip_mode"] in ("vnet", "none") else "inherit"),
        Parameter("cpuset.id", lambda row: number_of(row) if "cpuset" in row["limits"] else 0, settable=False),
        Parameter("host.hostname", lambda row: row["hostname"], of="host"),
        Parameter("ip4.addr", _addresses(4), of="ip4"),
        Parameter("ip6.addr", _addresses(6), of="ip6"),
    )
}
