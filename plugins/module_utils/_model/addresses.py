# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface, ip_network
from typing import Any, Union

from .place import Place, shown
from .scalars import Scalar, parse_text

IPAddress = Union[IPv4Address, IPv6Address]

# What a task writes where the host is to choose, and the families that it stands for.
AUTOMATIC = {"auto": (4, 6), "auto4": (4,), "auto6": (6,)}

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_TEXT_SCHEMA = {"type": "string"}


def parse_jail_address(value: Any, place: Place) -> str:
    """An address of a jail with its prefix: ``10.0.0.1`` is ``10.0.0.1/32``; or a word of AUTOMATIC.

    Whether it may stand for more than this one address, as on a wire that is shared with others, is for check() to say.
    """
    text = _plain(value, place)
    if text in AUTOMATIC:
        return text
    try:
        interface = ip_interface(text)
    except ValueError as error:
        remedy = "write 10.20.0.11/32 or fd00:20::11/128, or auto, auto4 or auto6 for a free one of the host's pools"
        raise place.error(f"{shown(text)} is not an address", remedy) from error
    fault = _unusable(interface.ip)
    if fault:
        raise place.error(f"{shown(text)} is {fault}", "give the jail a unicast address of its own")
    network = interface.network
    if network.version == 4 and network.num_addresses > 2 and interface.ip in (network[0], network[-1]):
        raise place.error(
            f"{shown(text)} stands for a whole network", f"write {interface.ip}/{interface.max_prefixlen}"
        )
    return str(interface)


def is_automatic(addresses: Iterable[Any]) -> bool:
    """Whether the host is to choose one of some addresses."""
    return any(isinstance(address, str) and address in AUTOMATIC for address in addresses)


def leaves_choice(document: Mapping[str, Any]) -> bool:
    """The same of all addresses of a document, or of a piece of one, of whatever form."""
    ip = document.get("ip")
    addresses = ip.get("addresses") if isinstance(ip, Mapping) else None
    return isinstance(addresses, (list, tuple)) and is_automatic(addresses)


def families_of(address: str) -> tuple[int, ...]:
    """4, 6 or both, for an address of a document before or after the host has chosen it."""
    return AUTOMATIC.get(address) or ((6,) if ":" in address else (4,))


def single(address: str) -> str:
    """An address of a document as what it is to all others, with the prefix of a single one: ``10.0.0.1/32``."""
    ip, _unused, _unused = address.partition("/")
    return f"{ip}/{128 if ':' in ip else 32}"


def is_single(address: str) -> bool:
    """Whether an address of a document says nothing of a network around it."""
    return address == single(address)


def reaches(addresses: Iterable[str], neighbour: str) -> bool:
    """Whether a neighbour (without prefix) is on the wire of one of these addresses."""
    ip = ip_address(neighbour)
    return ip.is_link_local or any(ip in ip_interface(address).network for address in addresses)


def parse_address(value: Any, place: Place) -> str:
    """An address that packets can be sent to, without a prefix."""
    text = _plain(value, place)
    try:
        address = ip_address(text)
    except ValueError as error:
        raise place.error(f"{shown(text)} is not an address", "write 192.0.2.1 or 2001:db8::1") from error
    if address.is_unspecified or address.is_multicast:
        raise place.error(f"{shown(text)} is no single machine's address", "write a unicast address")
    return str(address)


def parse_destination(value: Any, place: Place) -> str:
    """Where a route leads: ``default``, or a network with its prefix."""
    text = _plain(value, place)
    if text == "default":
        return text
    try:
        return str(ip_network(text))
    except ValueError as error:
        remedy = "write default or a network such as 10.30.0.0/16, with no bits set after the prefix"
        raise place.error(f"{shown(text)} is not a network", remedy) from error


def parse_peer(value: Any, place: Place) -> str:
    """An address or a network with its prefix: ``10.0.0.1`` is ``10.0.0.1/32``."""
    text = _plain(value, place)
    try:
        return str(ip_network(text))
    except ValueError as error:
        remedy = "write an address, or a network such as 10.30.0.0/16 with no bits set after the prefix"
        raise place.error(f"{shown(text)} is not a network", remedy) from error


def parse_mac(value: Any, place: Place) -> str:
    """A unicast MAC address in lowercase with colons."""
    text = parse_text(value, place).lower().replace("-", ":")
    if not _MAC.fullmatch(text):
        raise place.error(f"{shown(value)} is not a MAC address", "write 02:00:00:00:00:01")
    if int(text[:2], 16) & 1 or text == "00:00:00:00:00:00":
        raise place.error(f"{shown(value)} is not the address of a single interface", "write 02:00:00:00:00:01")
    return text


JAIL_ADDRESS = Scalar(parse_jail_address, _TEXT_SCHEMA, definition="jail_address")
ADDRESS = Scalar(parse_address, _TEXT_SCHEMA, definition="address")
DESTINATION = Scalar(parse_destination, _TEXT_SCHEMA, definition="destination")
PEER = Scalar(parse_peer, _TEXT_SCHEMA, definition="peer")
MAC = Scalar(parse_mac, {"type": "string", "pattern": r"^[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?![\s\S])"})


def _plain(value: Any, place: Place) -> str:
    """Text only, as ipaddress takes integers for addresses; no zone, as an interface of the host means nothing here."""
    if not isinstance(value, str):
        raise place.error(f"{shown(value)} is not an address", "put it in quotes")
    text = parse_text(value, place)
    if "%" in text:
        raise place.error(f"{shown(text)} has a zone", "leave out what follows the '%'")
    return text


def _unusable(address: IPAddress) -> str:
    """Why an address can be no jail's own, empty if it can."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return "an IPv4 address written as IPv6"
    faults = {
        "the unspecified address": address.is_unspecified,
        "a loopback address": address.is_loopback,
        "a multicast address": address.is_multicast,
        "a link-local address": address.is_link_local,
        "a reserved address": address.version == 4 and address.is_reserved,
    }
    return next((fault for fault, applies in faults.items() if applies), "")
