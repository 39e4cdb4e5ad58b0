# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from itertools import islice
from typing import Any, Union

from ..module_utils._model.addresses import parse_jail_address
from ..module_utils._model.place import Place, shown
from ._entries import expand_entries

Network = Union[IPv4Network, IPv6Network]
Span = tuple[int, int]


def free_addresses(pools: Any, taken: Any, count: int) -> list[str]:
    """The lowest addresses of one or more networks that nobody has, with the prefix of a single one: ``10.20.0.1/32``.

    ``taken`` holds addresses, networks and documents of jails, in lists of any depth; an address with the prefix of its
    network (10.20.0.1/24) is that address. Raises DocumentError for what is none of these, and ValueError if fewer than
    ``count`` are free.
    """
    networks = _parse_pools(pools)
    found = list(islice(_all_free(networks, list(_taken(taken, Place("", "taken")))), count))
    if len(found) < count:
        names = ", ".join(map(str, networks))
        raise ValueError(f"{names} has {len(found)} free addresses, and {count} are asked for")
    return found


def _parse_pools(pools: Any) -> list[Network]:
    if not isinstance(pools, (list, tuple)):
        return [_parse_network(pools, Place("", "pool"))]
    return [_parse_network(pool, Place("", f"pool[{index}]")) for index, pool in enumerate(pools)]


def _parse_network(value: Any, place: Place) -> Network:
    remedy = "write 10.20.0.0/24 or fd00:20::/64, with no bits set after the prefix"
    if not isinstance(value, str):
        raise place.error(f"{shown(value)} is not a network", remedy)
    try:
        return ip_network(str(value))
    except ValueError as error:
        raise place.error(f"{shown(value)} is not a network", remedy) from error


def _taken(value: Any, place: Place) -> Iterator[tuple[int, Span]]:
    """Version, first and last of all that is taken."""
    if isinstance(value, (list, tuple)):
        for index, element in enumerate(value):
            yield from _taken(element, place.item(index))
    elif isinstance(value, Mapping):
        for document in expand_entries(value):
            section = document.get("ip")
            if isinstance(section, Mapping):
                yield from _taken(section.get("addresses") or [], place.at("ip").at("addresses"))
    elif value:
        network = _parse_taken(value, place)
        yield network.version, _span(network)


def _parse_taken(value: Any, place: Place) -> Network:
    try:
        interface = ip_interface(str(value))
    except ValueError as error:
        remedy = "write addresses, networks or documents of jails"
        raise place.error(f"{shown(value)} is not an address", remedy) from error
    is_network = interface.ip == interface.network.network_address
    return interface.network if is_network else ip_network(interface.ip)


def _all_free(networks: list[Network], taken: list[tuple[int, Span]]) -> Iterator[str]:
    for index, network in enumerate(networks):
        before = [(other.version, _span(other)) for other in networks[:index]]
        yield from _free(network, [*taken, *before])


def _free(network: Network, taken: list[tuple[int, Span]]) -> Iterator[str]:
    candidate, last = _span(network)
    if network.max_prefixlen - network.prefixlen > 1:
        candidate += 1  # The network itself, and in IPv6 the anycast address of its routers (RFC 4291, section 2.6.1).
        last -= 1 if network.version == 4 else 0  # The broadcast address.
    for first_taken, last_taken in sorted(span for version, span in taken if version == network.version):
        for number in range(candidate, min(first_taken - 1, last) + 1):
            yield _text(number, network)
        candidate = max(candidate, last_taken + 1)
    for number in range(candidate, last + 1):
        yield _text(number, network)


def _span(network: Network) -> Span:
    return int(network[0]), int(network[-1])


def _text(number: int, network: Network) -> str:
    address = ip_address(number.to_bytes(network.max_prefixlen // 8, "big"))
    return parse_jail_address(str(address), Place("", "pool"))
