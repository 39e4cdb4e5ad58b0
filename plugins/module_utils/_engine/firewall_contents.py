# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What one jail has in our table: elements of its sets and maps, and a chain for each direction that it filters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address
from typing import Any, NamedTuple

from .._kernel import nft_expressions as nft
from .._kernel.files import canonical_json
from .._kernel.nft_expressions import Statement, Value
from .._model.forwards import Forward, family_of, forwards
from .._model.ports import bounds
from .firewall_table import FAMILIES
from .network_state import canonical_prefix

_PEERS = {"inbound": ("from", "saddr"), "outbound": ("to", "daddr")}
_VERDICTS = {"accept": nft.RETURN, "drop": nft.DROP, "reject": nft.REJECT}


class Element(NamedTuple):
    """An element of a set, or of a map with its value; both in canonical JSON, so that elements can be compared."""

    name: str
    key: str
    value: str


@dataclass(frozen=True)
class Contents:
    """All that a jail has in the table: ``chains`` maps each of its chains to the statements of its rules."""

    elements: frozenset[Element] = frozenset()
    chains: Mapping[str, Sequence[Sequence[Statement]]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.elements or self.chains)

    @property
    def needs_table(self) -> bool:
        """Whether it is of use by itself: an address is kept from forwards only where there are any."""
        return bool(self.chains) or any(not element.name.startswith("shared") for element in self.elements)


def chain_name(direction: str, jail: str) -> str:
    """The chain of a jail's rules; what is not a jail's has no hyphen in its name."""
    return f"{direction}-{jail}"


def rule_mark(jail: str, statements: Sequence[Statement]) -> str:
    """The comment of a rule, by which it is known again: nft may show another form of it than it was given."""
    return f"{jail} {sha256(canonical_json(list(statements)).encode()).hexdigest()[:16]}"


def contents(document: Mapping[str, Any], interface: str) -> Contents:
    """What an effective document asks for; ``interface`` is the host's end of the jail's network."""
    jail, ip = document["name"], document["ip"]
    addresses = [canonical_prefix(address).partition("/")[0] for address in ip["addresses"]]
    if ip["mode"] not in ("vnet", "shared"):
        return Contents()
    shared = ip["mode"] == "shared"
    elements = [*_forward_elements(forwards(document))]
    if shared:
        elements += [_member("shared", address) for address in addresses]
    elif ip["forwards"]:
        elements.append(_element("hairpin", nft.concatenated(interface, interface)))
    if ip["masquerade"]:
        elements += [_member("masquerade", address) for address in addresses if not ip_address(address).is_global]
    chains: dict[str, Sequence[Sequence[Statement]]] = {}
    for direction in _PEERS:
        rules = [*_rules(ip["firewall"][direction], direction)]
        if rules:
            chain = chain_name(direction, jail)
            chains[chain] = [*_to_itself(addresses), *rules] if shared else rules
            elements += _ways_to(chain, direction, addresses, "" if shared else interface)
    return Contents(frozenset(elements), chains)


def _element(name: str, key: Value, value: Value | Statement | None = None) -> Element:
    return Element(name, canonical_json(key), "" if value is None else canonical_json(value))


def _member(name: str, address: str, value: Value | Statement | None = None) -> Element:
    return _element(f"{name}{family_of(address)}", address, value)


def _forward_elements(found: Sequence[Forward]) -> Iterator[Element]:
    for forward in found:
        place = f"{forward.family}_at" if forward.host_address else str(forward.family)
        at = [_bare(forward.host_address)] if forward.host_address else []
        address = _bare(forward.address)
        if forward.last > forward.first and forward.to == forward.first:
            key = nft.concatenated(*at, forward.protocol, nft.span(forward.first, forward.last))
            yield _element(f"range{place}", key, address)
            continue
        for number in range(forward.last - forward.first + 1):
            key = nft.concatenated(*at, forward.protocol, forward.first + number)
            yield _element(f"forward{place}", key, address)
            yield _element(f"port{place}", key, forward.to + number)


def _bare(address: str) -> str:
    return canonical_prefix(address).partition("/")[0]


def _ways_to(chain: str, direction: str, addresses: Sequence[str], interface: str) -> Iterator[Element]:
    """What leads to a chain: the jail's interface, and its addresses where packets have not reached that yet."""
    if interface:
        yield _element(direction, interface, nft.jump(chain))
    if not interface or direction == "inbound":
        yield from (_member(direction, address, nft.jump(chain)) for address in addresses)


def _to_itself(addresses: Sequence[str]) -> Iterator[list[Statement]]:
    """A jail that shares the host's stack talks to itself by its own addresses; that is nobody else's business."""
    for family, protocol in FAMILIES.items():
        own = nft.any_of([address for address in addresses if family_of(address) == family])
        if own["set"]:
            yield [*(nft.match(nft.field(protocol, end), own) for end in ("saddr", "daddr")), nft.RETURN]


def _rules(asked: Mapping[str, Any], direction: str) -> Iterator[list[Statement]]:
    option, end = _PEERS[direction]
    for rule in asked["rules"]:
        verdict = _VERDICTS[rule["action"]]
        for peers in _peers(rule[option], end):
            yield [*peers, *_protocol(rule), verdict]
    if asked["policy"] != "accept":
        yield [_VERDICTS[asked["policy"]]]


def _peers(networks: Sequence[str], end: str) -> Iterator[list[Statement]]:
    """One condition for each family that is named, a single empty one if none is."""
    if not networks:
        yield []
    for family, protocol in FAMILIES.items():
        named = [nft.network(canonical_prefix(each)) for each in networks if family_of(each) == family]
        if named:
            yield [nft.match(nft.field(protocol, end), nft.any_of(named))]


def _protocol(rule: Mapping[str, Any]) -> list[Statement]:
    protocol = rule.get("protocol")
    if protocol is None:
        return []
    if protocol == "icmp":
        return [nft.match(nft.meta("l4proto"), nft.any_of(["icmp", "ipv6-icmp"]))]
    if not rule["ports"]:
        return [nft.match(nft.meta("l4proto"), protocol)]
    ports = [nft.span(*bounds(each)) for each in rule["ports"]]
    return [nft.match(nft.field(protocol, "dport"), nft.any_of(ports))]
