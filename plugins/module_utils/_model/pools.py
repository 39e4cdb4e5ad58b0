# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, NamedTuple

from .addresses import AUTOMATIC, families_of, parse_jail_address, single
from .errors import DocumentError
from .place import Place, shown
from .scalars import Scalar, parse_text
from .shapes import ListOf, Option, Record
from .values import LINK_NAME

_BITS = {4: 32, 6: 128}
_REMEDY = "write a network such as 10.20.0.0/24, or a range such as 192.0.2.100-192.0.2.199/24"


class Span(NamedTuple):
    """Addresses one after the other, as numbers; ``prefix`` is that of their network, of a single address for none."""

    version: int
    first: int
    last: int
    prefix: int


def _parse_span(value: Any, place: Place) -> str:
    """A network, a range with or without the prefix of its network, or an address, as it was written."""
    text = parse_text(value, place).replace(" ", "")
    try:
        span = span_of(text)
    except ValueError as error:
        raise place.error(f"{shown(value)} is neither a network nor a range of addresses", _REMEDY) from error
    if span.first > span.last:
        raise place.error(f"{shown(text)} ends before it begins", _REMEDY)
    inner = span.first + (1 if span.last > span.first else 0)
    parse_jail_address(_text(span.version, inner), place)
    return text


def span_of(text: str) -> Span:
    """The addresses that a text stands for. ValueError where it stands for none."""
    first, dash, rest = text.partition("-")
    if not dash:
        network = ip_network(text)
        return Span(network.version, int(network[0]), int(network[-1]), network.prefixlen)
    begin, end = ip_address(first), ip_interface(rest)
    if begin.version != end.version or (begin not in end.network and "/" in rest):
        raise ValueError(text)
    return Span(begin.version, int(begin), int(end.ip), end.network.prefixlen)


SPAN = Scalar(_parse_span, {"type": "string"})
POOL = Record(
    Option("addresses", SPAN, "Network, or range of addresses with the prefix of its network.", required=True),
    Option("link", LINK_NAME, "Bridge, parent or interface of the jails that the pool is for."),
    Option("reserved", ListOf(SPAN), "Addresses, ranges and networks of it that no jail gets."),
)
HOST = Record(Option("address_pools", ListOf(POOL), "What jails get addresses from that leave the choice to the host."))


class Pool:
    """Addresses that jails may get; ``link`` is empty where they are for jails on any link."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name = str(entry["addresses"])
        self.link = str(entry.get("link", ""))
        self.span = span_of(self.name)
        self._reserved = [*map(span_of, entry.get("reserved", ())), *_ends(self.span)]

    def free(self, taken: Container[tuple[int, int]]) -> Iterator[int]:
        """Numbers of its addresses that nobody has, the lowest first; ``taken`` are versions with numbers."""
        number = self.span.first
        while number <= self.span.last:
            barrier = self._barrier(number)
            if barrier is not None:
                number = barrier.last + 1
                continue
            if (self.span.version, number) not in taken:
                yield number
            number += 1

    def _barrier(self, number: int) -> Span | None:
        for span in self._reserved:
            if span.version == self.span.version and span.first <= number <= span.last:
                return span
        return None

    def address(self, number: int, *, on_wire: bool) -> str:
        """An address of it as a document says it: with the prefix of its network on a wire with others."""
        return f"{_text(self.span.version, number)}/{self.span.prefix if on_wire else _BITS[self.span.version]}"

    def has(self, address: str, *, on_wire: bool) -> bool:
        """Whether an address of a document could have come from it."""
        ip = ip_interface(address).ip
        within = ip.version == self.span.version and self.span.first <= int(ip) <= self.span.last
        return within and address == self.address(int(ip), on_wire=on_wire)


def _ends(span: Span) -> Iterator[Span]:
    """A network's own address (in IPv6 the anycast address of its routers: RFC 4291, section 2.6.1), and broadcast."""
    bits = _BITS[span.version] - span.prefix
    if bits < 2:
        return
    network = span.first >> bits << bits
    yield Span(span.version, network, network, _BITS[span.version])
    if span.version == 4:
        last = network + (1 << bits) - 1
        yield Span(4, last, last, 32)


class Request(NamedTuple):
    """A jail that leaves the choice of addresses to its host.

    ``kept`` are those that it has already and that fit, ``gateways`` those that are none of its own.
    """

    jail: str
    place: Place
    addresses: Sequence[str]
    link: str
    on_wire: bool
    kept: Sequence[str]
    gateways: Sequence[str]
    pools: Sequence[Pool]


def request_of(
    jail: str, place: Place, ip: Mapping[str, Any], stored: Mapping[str, Any], pools: Iterable[Pool]
) -> Request | None:
    """What a jail with such an ``ip`` section asks of the host, None where it has no addresses to begin with.

    ``stored`` is the section on the disk, as it is there. What a jail has it keeps, whatever became of the pools,
    unless it goes to another link: then it has to be of a pool for that.
    """
    if ip.get("mode") not in ("vnet", "shared"):
        return None
    where = place.at("ip").at("addresses")
    addresses = [parse_jail_address(address, where.item(index)) for index, address in enumerate(ip["addresses"])]
    for error in refuse_choices(addresses, where):
        raise error
    link, on_wire = _link_of(ip), bool(ip.get("bridge") or ip.get("parent"))
    here = _pools_for(pools, link, on_wire=on_wire)
    said = {single(address) for address in addresses}
    before = [address for address in _readable(stored.get("addresses")) if single(address) not in said]
    if (_link_of(stored), stored.get("mode")) != (link, ip["mode"]):
        before = [address for address in before if any(pool.has(address, on_wire=on_wire) for pool in here)]
    return Request(jail, where, addresses, link, on_wire, before, list(ip.get("gateway") or ()), here)


def refuse_choices(addresses: Sequence[str], place: Place) -> Iterator[DocumentError]:
    """What leaves the same choice to the host twice; ``place`` is that of the list."""
    first: dict[int, int] = {}
    for index, address in enumerate(addresses):
        for family in AUTOMATIC.get(address, ()):
            if first.setdefault(family, index) != index:
                message = f"an IPv{family} address is of the host's choice by {place.item(first[family]).path} already"
                yield place.item(index).error(message, "say auto alone, or auto4 and auto6")


def answer(request: Request, choose: Callable[[int, Place], str]) -> list[str]:
    """The addresses of a jail, none left to be chosen; ``choose(family, place)`` finds a free one.

    Raises DocumentError where the host has nothing to choose from.
    """
    kept = {families_of(address)[0]: address for address in reversed(request.kept)}
    offered = {pool.span.version for pool in request.pools} | set(kept)
    found: list[str] = []
    for index, address in enumerate(request.addresses):
        place = request.place.item(index)
        if address not in AUTOMATIC:
            found.append(address)
            continue
        families = [family for family in families_of(address) if family in offered]
        if not families or (address != "auto" and len(families) != len(families_of(address))):
            raise no_pool(request, place, address)
        found += [kept.get(family) or choose(family, place) for family in families]
    return found


def no_pool(request: Request, place: Place, word: str) -> DocumentError:
    """The complaint about a host that has no pool of what is asked for."""
    kind = {"auto4": "IPv4 ", "auto6": "IPv6 "}.get(word, "")
    where = f" for {request.link}" if request.link else ""
    remedy = "write an address, or give the host a pool: address_pools of jail_engine, host_address_pools of its role"
    return place.error(f"this host has no pool of {kind}addresses{where}", remedy)


def _link_of(ip: Mapping[str, Any]) -> str:
    return str(ip.get("bridge") or ip.get("parent") or ip.get("interface") or "")


def _pools_for(pools: Iterable[Pool], link: str, *, on_wire: bool) -> list[Pool]:
    """Those for a link; where there are none, those for any link, but for a wire whose network nobody has named."""
    pools = list(pools)
    named = [pool for pool in pools if pool.link and pool.link == link]
    return named or ([] if on_wire else [pool for pool in pools if not pool.link])


def _readable(addresses: Any) -> list[str]:
    """Addresses of a document that nobody has checked yet."""
    found = []
    for address in addresses if isinstance(addresses, list) else ():
        try:
            found.append(parse_jail_address(address, Place("")))
        except DocumentError:
            continue
    return [address for address in found if address not in AUTOMATIC]


def _text(version: int, number: int) -> str:
    return str(ip_address(number.to_bytes(_BITS[version] // 8, "big")))
