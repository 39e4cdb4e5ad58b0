# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .addresses import AUTOMATIC, is_automatic, is_single, reaches, single
from .errors import DocumentError
from .place import Place
from .profiles import owns_network


def check_wire(document: Mapping[str, Any], where: Place) -> Iterator[DocumentError]:
    """What depends on whether a jail is routed to, or on a wire with others (``bridge``, ``parent``)."""
    ip = document["ip"]
    wires = [name for name in ("bridge", "parent") if ip.get(name)]
    if wires and ip["mode"] != "vnet":
        yield where.at(wires[0]).error(f"mode {ip['mode']} has no interface of the jail's own", "use mode: vnet")
    elif len(wires) > 1:
        yield where.at("parent").error("the jail is already on a bridge", "say bridge or parent, not both")
    if not wires:
        yield from _check_routed(ip, where)
        return
    if ip.get("parent") and owns_network(document):
        yield where.at("parent").error(
            "the host cannot hold a jail to its addresses there whose root owns the network",
            "use bridge, or leave out what gives the jail its network (caps.profile vps, ip.admin, NET_ADMIN, NET_RAW)",
        )
    families = [":" in gateway for gateway in ip["gateway"]]
    for index, gateway in enumerate(ip["gateway"]):
        element = where.at("gateway").item(index)
        if not is_automatic(ip["addresses"]) and not reaches(ip["addresses"], gateway):
            yield element.error(f"{gateway} is in the network of none of the addresses", "check their prefixes")
        elif families.index(families[index]) != index:
            yield element.error("there is a gateway of that family already", "say others in routes")


def _check_routed(ip: Mapping[str, Any], where: Place) -> Iterator[DocumentError]:
    if ip["gateway"]:
        yield where.at("gateway").error("a routed jail's gateway is its host", "leave it out, or say bridge or parent")
    for index, address in enumerate(ip["addresses"]):
        if address not in AUTOMATIC and not is_single(address):
            yield (
                where.at("addresses")
                .item(index)
                .error(f"'{address}' stands for a whole network", f"write {single(address)}, or say bridge or parent")
            )
