# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The table that is ours in the host's packet filter: what it is made of, whatever jails there are.

Sets, maps and chains of a constant size: a connection is looked up in them, so that a thousand jails cost it no more
than one. A jail with rules of its own has a chain for each direction, which a verdict map leads to.

    hook            priority   what
    prerouting      dstnat     forwards
    output          dstnat     forwards, for what the host itself sends
    input           filter     what jails send to the host, and what reaches jails that share the host's addresses
    forward         filter     what jails send to and receive from others
    output          filter     what the host sends to jails, and what jails send that share its addresses
    postrouting     srcnat     masquerading

A jail's chain ends with ``return`` for what it lets pass: what goes from one jail to another has to pass two of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from .._kernel import nft_expressions as nft
from .._kernel.files import canonical_json
from .._kernel.nft_expressions import Expression, Statement
from .._kernel.nftables import Command

NAME = "hosting_jails"
TARGET = f"table inet {NAME}"
# Interfaces of jails on the host, see Allocation.interface.
JAIL_LINKS = "jl*"

FAMILIES = {4: "ip", 6: "ip6"}
ADDRESS_TYPES = {4: "ipv4_addr", 6: "ipv6_addr"}
_LOOPBACK = {4: nft.network("127.0.0.0/8"), 6: "::1"}

# What IPv6 neighbours tell each other (RFC 4861, RFC 3810): without it no address is ever found.
_NEIGHBOURS = [
    "nd-router-solicit",
    "nd-router-advert",
    "nd-neighbor-solicit",
    "nd-neighbor-advert",
    "mld-listener-query",
    "mld-listener-report",
    "mld-listener-done",
    "mld2-listener-report",
]
_DSTNAT, _FILTER, _SRCNAT = -100, 0, 100


def add(kind: str, **properties: Any) -> Command:
    """The command that adds an object to our table."""
    return {"add": {kind: {"family": "inet", "table": NAME, **properties}}}


def delete(kind: str, **properties: Any) -> Command:
    """The command that deletes an object of our table."""
    return {"delete": {kind: {"family": "inet", "table": NAME, **properties}}}


def whole() -> dict[str, Command]:
    """The table itself."""
    return {"table": {"family": "inet", "name": NAME}}


def skeleton() -> list[Command]:
    """Everything of the table that belongs to no jail; each of its rules has the digest of them all as a comment."""
    rules = list(_rules())
    mark = skeleton_mark()
    return [
        {"add": whole()},
        *_sets(),
        *_maps(),
        *_chains(),
        *(add("rule", chain=chain, comment=mark, expr=statements) for chain, statements in rules),
    ]


def skeleton_mark() -> str:
    """The comment of each rule of the table that belongs to no jail."""
    parts = [*_sets(), *_maps(), *_chains(), *_rules()]
    return f"hosting.jails {sha256(canonical_json(parts).encode()).hexdigest()[:16]}"


def _sets() -> Iterator[Command]:
    for family, address in ADDRESS_TYPES.items():
        yield add("set", name=f"shared{family}", type=address)
        yield add("set", name=f"masquerade{family}", type=address)
    yield add("set", name="hairpin", type=["ifname", "ifname"])


def _maps() -> Iterator[Command]:
    """Of a single port: to an address and a port, in two maps, as not every nft in use knows both in one.

    Of a range of ports that keep their numbers: to an address. ``at`` are those for one address of the host.
    """
    port = ["inet_proto", "inet_service"]
    for family, address in ADDRESS_TYPES.items():
        for place, key in (("", port), ("_at", [address, *port])):
            yield add("map", name=f"forward{family}{place}", type=key, map=address)
            yield add("map", name=f"port{family}{place}", type=key, map="inet_service")
            yield add("map", name=f"range{family}{place}", type=key, map=address, flags=["interval"])
        for direction in ("inbound", "outbound"):
            yield add("map", name=f"{direction}{family}", type=address, map="verdict")
    for direction in ("inbound", "outbound"):
        yield add("map", name=direction, type="ifname", map="verdict")


def _chains() -> Iterator[Command]:
    yield add("chain", name="forwards")
    for name, kind, hook, priority in (
        ("nat_prerouting", "nat", "prerouting", _DSTNAT),
        ("nat_output", "nat", "output", _DSTNAT),
        ("nat_postrouting", "nat", "postrouting", _SRCNAT),
        ("input", "filter", "input", _FILTER),
        ("forward", "filter", "forward", _FILTER),
        ("output", "filter", "output", _FILTER),
    ):
        yield add("chain", name=name, type=kind, hook=hook, prio=priority, policy="accept")


def _rules() -> Iterator[tuple[str, list[Statement]]]:
    yield "nat_prerouting", [nft.jump("forwards")]
    yield "nat_output", [nft.jump("forwards")]
    for statements in _forwards():
        yield "forwards", statements
    for statements in _masquerading():
        yield "nat_postrouting", statements
    for chain in ("input", "forward", "output"):
        yield chain, [nft.match(nft.conntrack("state"), nft.any_of(["established", "related"])), nft.ACCEPT]
    for chain in ("input", "output"):
        yield chain, [nft.match(nft.field("icmpv6", "type"), nft.any_of(_NEIGHBOURS)), nft.ACCEPT]
    yield "input", [nft.verdict_of(nft.meta("iifname"), "outbound")]
    yield from (("input", statements) for statements in _by_address("daddr", "inbound"))
    yield "forward", [nft.verdict_of(nft.meta("iifname"), "outbound")]
    yield "forward", [nft.verdict_of(nft.meta("oifname"), "inbound")]
    yield from (("output", statements) for statements in _by_address("saddr", "outbound"))
    yield "output", [nft.verdict_of(nft.meta("oifname"), "inbound")]
    # What was forwarded by nat_output: its interface is still the one that it would have left by.
    yield from (("output", statements) for statements in _by_address("daddr", "inbound"))


def _by_address(field: str, direction: str) -> Iterator[list[Statement]]:
    for family, protocol in FAMILIES.items():
        yield [nft.verdict_of(nft.field(protocol, field), f"{direction}{family}")]


def _forwards() -> Iterator[list[Statement]]:
    """What comes to an address that is said, then to any of the host that is nobody else's."""
    for family, protocol in FAMILIES.items():
        yield [nft.match(nft.field(protocol, "daddr"), _LOOPBACK[family]), nft.RETURN]
    for family, protocol in FAMILIES.items():
        key = nft.concatenated(nft.field(protocol, "daddr"), *_port_key())
        yield from _sent_on(family, key, "_at")
    yield [nft.match(nft.type_of_destination(), "local", "!="), nft.RETURN]
    for family, protocol in FAMILIES.items():
        yield [nft.match(nft.field(protocol, "daddr"), f"@shared{family}"), nft.RETURN]
    for family in FAMILIES:
        yield from _sent_on(family, nft.concatenated(*_port_key()), "")


def _port_key() -> tuple[Expression, Expression]:
    return nft.meta("l4proto"), nft.field("th", "dport")


def _sent_on(family: int, key: Expression, place: str) -> Iterator[list[Statement]]:
    conditions = [
        nft.match(nft.meta("nfproto"), f"ipv{family}"),
        nft.match(nft.meta("l4proto"), nft.any_of(["tcp", "udp"])),
    ]
    addresses, ports, ranges = (nft.looked_up(key, f"{name}{family}{place}") for name in ("forward", "port", "range"))
    yield [*conditions, nft.send_to(FAMILIES[family], addresses, ports)]
    yield [*conditions, nft.send_to(FAMILIES[family], ranges)]


def _masquerading() -> Iterator[list[Statement]]:
    """What a jail sends to a port that leads back to it comes from the host: packets from its own address it drops."""
    pair = nft.concatenated(nft.meta("iifname"), nft.meta("oifname"))
    forwarded = nft.match(nft.conntrack("status"), "dnat", "in")
    yield [forwarded, nft.match(pair, "@hairpin"), nft.MASQUERADE]
    for family, protocol in FAMILIES.items():
        yield [
            nft.match(nft.field(protocol, "saddr"), f"@masquerade{family}"),
            nft.match(nft.meta("oifname"), JAIL_LINKS, "!="),
            nft.match(nft.meta("oifname"), "lo", "!="),
            nft.MASQUERADE,
        ]
