# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What the network of a jail should be, what it is, and the requests between the two.

Everything here is cheap and changes nothing: a run that finds nothing to do never imports pyroute2.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from .._kernel import files, namespaces, sysctls
from .._kernel.namespace_owner import owner
from .._kernel.rtnetlink import (
    ROUTE_PROTOCOL,
    RT_SCOPE_LINK,
    RT_SCOPE_UNIVERSE,
    Link,
    Reader,
    Route,
    TokenBucket,
)
from .._model.allocation import Allocation
from .._model.profiles import has_user_namespace, owns_network
from .._model.rates import parse_rate
from . import places

if TYPE_CHECKING:
    from .bandwidth import Shaper

JAIL_LINK = "eth0"
# The same on the host end of every jail: a link-local gateway needs no address of the customer's networks, and since
# each pair is a wire of its own they never meet.
GATEWAY4, GATEWAY6 = "169.254.1.1", "fe80::1"
DEFAULT4, DEFAULT6 = "0.0.0.0/0", "::/0"
DEFAULT_MTU = 1500
_LOOPBACK_INDEX = 1
_MARK = "hosting.jails"
# At the end of a filter's name: what passes goes through a shaper, which is there, was, or is about to be.
_SHAPED = " shaped"


def mark(jail: str) -> str:
    """The ifalias of everything that we make on the host for a jail."""
    return f"{_MARK} {jail}"


def marked_jail(alias: str) -> str:
    """Name of the jail that an ifalias of ours names, empty for a link that is not ours."""
    return alias[len(_MARK) + 1 :] if alias.startswith(f"{_MARK} ") else ""


@dataclass(frozen=True)
class Wanted:
    """The network that a document asks for. ``routes`` maps each destination to its gateway (empty: on the wire).

    ``ingress`` and ``egress`` are bits a second that the jail may receive and send, 0 for as fast as it can. The host
    routes to the jail unless it is plugged into a ``bridge`` or has a macvlan of a ``parent``, both by their names.
    ``counts_capabilities``: those of its root count there although the host owns it, as he is the host's.
    """

    jail: str
    link: str
    mode: str
    owns_its_stack: bool
    addresses: tuple[str, ...] = ()
    routes: Mapping[str, str] = field(default_factory=dict)
    mtu: int = DEFAULT_MTU
    mac: str = ""
    ingress: int = 0
    egress: int = 0
    bridge: str = ""
    parent: str = ""
    counts_capabilities: bool = False

    @property
    def routed(self) -> bool:
        return not (self.bridge or self.parent)

    @property
    def ipv4(self) -> bool:
        return any(":" not in address for address in self.addresses)

    @property
    def ipv6(self) -> bool:
        return any(":" in address for address in self.addresses)


class End(NamedTuple):
    """One end of the veth pair, or a macvlan. Addresses are without those that the kernel makes up, routes those of the
    main table.

    ``filter`` is the name of the program that judges what the jail sends, ``redirect`` that of the one behind it.
    ``bucket`` is the limit of what the link sends.
    """

    link: Link
    addresses: frozenset[str]
    routes: tuple[Route, ...]
    filter: str
    redirect: str
    bucket: TokenBucket | None


class Facts(NamedTuple):
    """What is there. ``owner`` is the identity of the user namespace that owns the pinned network namespace, 0
    where none is pinned; ``host`` is a link that is proven to be ours; ``paired`` says that the two ends are ends of
    the same pair, and not leftovers of two. ``shaper`` is what the jail's packets go through if it is limited, and
    ``wire`` the link of the host that the jail is plugged into or has a macvlan of."""

    owner: int
    loopback: Link | None
    host: End | None
    jail: End | None
    paired: bool
    shaper: Shaper | None = None
    wire: Link | None = None


class Step(NamedTuple):
    """One request: a method of ``links.Connection`` in the jail or on the host, or a kernel parameter of the host."""

    where: str
    method: str
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]


def wanted(document: Mapping[str, Any], index: int) -> Wanted:
    """Read an effective document of a jail that does not share the host's addresses (see ``shared_network``)."""
    jail, ip = document["name"], document["ip"]
    mode, allocation = ip["mode"], Allocation(jail, index)
    link, owns, counts = allocation.interface, owns_network(document), not has_user_namespace(document)
    if mode in ("none", "host"):
        return Wanted(jail=jail, link=link, mode=mode, owns_its_stack=owns, counts_capabilities=counts)
    addresses = tuple(canonical_prefix(address) for address in ip["addresses"])
    return Wanted(
        jail=jail,
        link=link,
        mode=mode,
        owns_its_stack=owns,
        counts_capabilities=counts,
        addresses=addresses,
        routes=_routes(_ways_out(addresses, ip), ip["routes"]),
        bridge=ip.get("bridge") or "",
        parent=ip.get("parent") or "",
        mtu=ip.get("mtu") or DEFAULT_MTU,
        mac=ip.get("mac") or allocation.mac,
        **{way: parse_rate(rate) for way, rate in ip["bandwidth"].items()},
    )


def default_routes(addresses: tuple[str, ...]) -> dict[str, str]:
    """The way out for each family that the jail has addresses of."""
    routes: dict[str, str] = {}
    if any(":" not in address for address in addresses):
        routes[DEFAULT4] = GATEWAY4
    if any(":" in address for address in addresses):
        routes[DEFAULT6] = GATEWAY6
    return routes


def _ways_out(addresses: tuple[str, ...], ip: Mapping[str, Any]) -> dict[str, str]:
    if not (ip.get("bridge") or ip.get("parent")):
        return default_routes(addresses)
    gateways = [canonical_prefix(gateway).partition("/")[0] for gateway in ip["gateway"]]
    return {DEFAULT6 if ":" in gateway else DEFAULT4: gateway for gateway in gateways}


def _routes(routes: dict[str, str], asked: Any) -> dict[str, str]:
    """The default routes and the document's, which may replace those."""
    for route in asked:
        via = canonical_prefix(route["via"]).partition("/")[0]
        to = route["to"]
        if to == "default":
            to = DEFAULT6 if ":" in via else DEFAULT4
        routes[canonical_prefix(to)] = via
    return routes


def canonical_prefix(text: str) -> str:
    """An address or network as the kernel's replies show it: ``fd00::b/128`` for ``fd00:0::B``."""
    ip, _unused, bits = text.partition("/")
    family, full = (socket.AF_INET6, 128) if ":" in ip else (socket.AF_INET, 32)
    return f"{socket.inet_ntop(family, socket.inet_pton(family, ip))}/{bits or full}"


def read(jail: str, *, link_name: str = "", links: Reader | None = None) -> Facts:
    """Look at everything that belongs to a jail's network.

    ``link_name`` is the host end's name where that is known. Without it, a host end that has lost its peer is looked
    for among all links of the host, which takes the longer the more jails there are. ``links`` knows them: who looks
    at many jails gives a Snapshot.
    """
    with contextlib.nullcontext(links) if links else Reader() as host:
        pinned = namespaces.find_pin(places.namespace(jail, "net"))
        if pinned is None:
            end = _marked_end(host, jail, link_name)
            return Facts(0, None, end, None, False, _shaper(host, jail, end), _wire(host, end, None))
        with files.closing(pinned) as fd:
            return _read_pinned(jail, fd, host, link_name)


def _read_pinned(jail: str, fd: int, host: Reader, link_name: str) -> Facts:
    with namespaces.visiting(fd, namespaces.NEWNET):
        inside = Reader()
    with inside:
        loopback, link = inside.link(index=_LOOPBACK_INDEX), inside.link(name=JAIL_LINK)
        peer = _peer_of(host, link, host.namespace_id(fd)) if link else None
        jail_end = _end(inside, link, inside=True) if link else None
    if peer is not None and peer.alias in ("", mark(jail)):
        end = _end(host, peer)
        return Facts(owner(fd), loopback, end, jail_end, True, _shaper(host, jail, end), _wire(host, end, jail_end))
    alone = loopback is not None and _recorded_mode(loopback) == "none" and not (link or link_name)
    marked = None if alone else _marked_end(host, jail, link_name)
    wire = _wire(host, marked, jail_end)
    return Facts(owner(fd), loopback, marked, jail_end, False, _shaper(host, jail, marked), wire)


def _wire(host: Reader, end: End | None, inside: End | None) -> Link | None:
    """The link of the host that a jail's own is a port or a macvlan of."""
    if end is not None:
        return host.link(index=end.link.master) if end.link.master else None
    # A macvlan whose parent is in the jail is one that its root has made.
    if inside is None or inside.link.kind != "macvlan" or inside.link.peer_namespace is None:
        return None
    return host.link(index=inside.link.peer)


def _peer_of(host: Reader, inside: Link, namespace: int | None) -> Link | None:
    """The host's end of the jail's link.

    The kernel takes no alias at a link's creation, so for an instant it has none; what is then the peer of a link in
    our pinned namespace is ours all the same. But the root of a jail that owns its stack decides what its own link
    says of its peer, so it is the host's link that has to name the jail's: its index and its namespace.
    """
    link = host.link(index=inside.peer) if inside.peer else None
    if link is None or namespace is None or link.kind != "veth":
        return None
    return link if (link.peer, link.peer_namespace) == (inside.ifindex, namespace) else None


def _end(reader: Reader, link: Link, *, inside: bool = False) -> End:
    addresses = frozenset(
        address.address
        for address in reader.addresses(link.ifindex)
        if address.scope == RT_SCOPE_UNIVERSE or address.address in (f"{GATEWAY4}/32", f"{GATEWAY6}/64")
    )
    routes = tuple(reader.routes(link.ifindex))
    judge, redirect, *_unused = (*_filters(reader, link, inside=inside), "", "")
    return End(link, addresses, routes, judge, redirect, reader.token_bucket(link))


def _filters(reader: Reader, link: Link, *, inside: bool) -> list[str]:
    """What a jail sends is what the host's end of a pair receives; a macvlan has no such end."""
    if link.kind == "macvlan":
        return reader.egress_filters(link.ifindex)
    return [] if inside else reader.ingress_filters(link.ifindex)


def _shaper(reader: Reader, jail: str, host: End | None) -> Shaper | None:
    if host is None or not host.filter.endswith(_SHAPED):
        return None
    from . import bandwidth

    return bandwidth.read_shaper(reader, host.link.name, mark(jail))


def _marked_end(reader: Reader, jail: str, name: str) -> End | None:
    """A link with the jail's mark: under that name, or without a name, under any."""
    for link in [reader.link(name=name)] if name else reader.links():
        if link is not None and link.alias == mark(jail):
            return _end(reader, link)
    return None


def _recorded_mode(loopback: Link) -> str:
    return loopback.alias.rpartition(" ")[2] if marked_jail(loopback.alias) else ""


def loopback_mark(jail: str, mode: str) -> str:
    """The mode is written into the namespace itself: it tells a jail without links from one that has lost them."""
    return f"{mark(jail)} {mode}"


def mode_of(facts: Facts) -> str:
    """Mode that the pinned namespace was made for."""
    recorded = _recorded_mode(facts.loopback) if facts.loopback else ""
    if recorded in ("vnet", "none"):
        return recorded
    return "vnet" if facts.jail or facts.host else "none"


def pending(want: Wanted, facts: Facts) -> list[Step]:
    """Requests that lead from what is there to what is wanted, in order; the pair must be there already.

    An address answers only after everything behind it is ready (its host route comes last), and new addresses come
    before old ones go: with its last address a link loses its routes.
    """
    steps = _loopback_steps(want, facts)
    if want.mode != "vnet":
        return steps
    if want.parent:
        return steps + _macvlan_steps(want, facts)
    if facts.host is None or facts.jail is None:
        raise ValueError("pending() needs both ends")
    host, jail = facts.host, facts.jail
    gateways = _gateways(want)
    steps += _parameter_steps(want, host.link)
    if (facts.wire.name if facts.wire else "") != want.bridge:
        steps.append(Step("host", "plug_into", (host.link, want.bridge), {}))
    judging, shaping = _filter_steps(want, host), _shaping_steps(want, facts, host)
    # The filter's name says that there is a shaper: it comes before that, and goes back after it.
    steps += judging + shaping if want.egress else shaping + judging
    steps += _link_step("host", host.link, alias=mark(want.jail), mtu=want.mtu, up=True)
    for address in sorted(gateways - host.addresses):
        steps.append(Step("host", "add_address", (host.link, address), {"scope": RT_SCOPE_LINK}))
    steps += _jail_steps(want, jail)
    steps += _route_steps("host", host, dict.fromkeys(want.addresses, "") if want.routed else {})
    steps += _farewells(want, jail)
    for address in sorted(host.addresses - gateways):
        if address in (f"{GATEWAY4}/32", f"{GATEWAY6}/64"):
            steps.append(Step("host", "remove_address", (host.link, address), {}))
    return steps


def _macvlan_steps(want: Wanted, facts: Facts) -> list[Step]:
    """The filter is in the jail, whose root has no power over it as the host owns the stack."""
    if facts.jail is None:
        raise ValueError("pending() needs the macvlan")
    code, name = _filter(want)
    steps = []
    if facts.jail.filter != name:
        steps.append(Step("jail", "filter_egress", (facts.jail.link,), {"code": code, "name": name}))
    return steps + _jail_steps(want, facts.jail) + _farewells(want, facts.jail)


def _jail_steps(want: Wanted, jail: End) -> list[Step]:
    """The jail's own link; on a wire with others, its neighbours are told of new addresses."""
    steps = _link_step("jail", jail.link, mac=want.mac, mtu=want.mtu, up=True)
    new = [address for address in want.addresses if address not in jail.addresses]
    steps += [Step("jail", "add_address", (jail.link, address), {}) for address in new]
    if not want.routed:
        link = jail.link._replace(mac=want.mac, up=True)
        steps += [Step("announcement", "announce", (link, address.partition("/")[0]), {}) for address in new]
    return steps + _route_steps("jail", jail, want.routes)


def _farewells(want: Wanted, jail: End) -> list[Step]:
    old = sorted(jail.addresses - set(want.addresses))
    return [Step("jail", "remove_address", (jail.link, address), {}) for address in old]


def _filter(want: Wanted) -> tuple[bytes, str]:
    """The program that judges what the jail sends; its name holds a digest of it, by which it is known again."""
    addresses = [address.partition("/")[0] for address in want.addresses]
    if want.routed:
        from .._kernel import source_filter

        code = source_filter.program(addresses, gateway=GATEWAY4)
    else:
        from .._kernel import neighbour_filter

        code = neighbour_filter.program(addresses, mac=want.mac)
    return code, f"{_MARK} {sha256(code).hexdigest()[:16]}{_SHAPED if want.egress else ''}"


def _filter_steps(want: Wanted, host: End) -> list[Step]:
    code, name = _filter(want)
    return [] if host.filter == name else [Step("host", "filter_ingress", (host.link,), {"code": code, "name": name})]


def _shaping_steps(want: Wanted, facts: Facts, host: End) -> list[Step]:
    if not (want.ingress or want.egress or host.bucket or host.redirect or facts.shaper):
        return []
    from . import bandwidth

    shaped = bandwidth.Shaped(host.link, host.bucket, host.redirect, facts.shaper)
    rates = bandwidth.Rates(want.ingress, want.egress)
    return [Step("host", *each) for each in bandwidth.requests(rates, shaped, mtu=want.mtu, mark=mark(want.jail))]


def _gateways(want: Wanted) -> frozenset[str]:
    if not want.routed:
        return frozenset()
    found = [f"{GATEWAY4}/32"] if want.ipv4 else []
    return frozenset(found + ([f"{GATEWAY6}/64"] if want.ipv6 else []))


def _loopback_steps(want: Wanted, facts: Facts) -> list[Step]:
    if facts.loopback is None:
        return []
    return _link_step("jail", facts.loopback, alias=loopback_mark(want.jail, want.mode), up=True)


def _link_step(where: str, link: Link, **properties: Any) -> list[Step]:
    """One request for all properties that differ."""
    differing = {name: value for name, value in properties.items() if getattr(link, name) != value}
    return [Step(where, "set_link", (link,), differing)] if differing else []


def _route_steps(where: str, end: End, routes: Mapping[str, str]) -> list[Step]:
    """Remove what is ours and unwanted or in the way, then add what is missing."""
    present = {(route.to, route.via) for route in end.routes}
    steps = [
        Step(where, "remove_route", (end.link, route.to), {"via": route.via, "protocol": route.protocol})
        for route in end.routes
        if routes.get(route.to) != route.via and (route.protocol == ROUTE_PROTOCOL or _in_the_way(where, route, routes))
    ]
    return steps + [
        Step(where, "add_route", (end.link, to), {"via": via}) for to, via in routes.items() if (to, via) not in present
    ]


def _in_the_way(where: str, route: Route, routes: Mapping[str, str]) -> bool:
    """On the host nothing is removed that does not carry our mark."""
    return where == "jail" and route.to in routes


def _parameter_steps(want: Wanted, link: Link) -> list[Step]:
    from .._kernel.link_parameters import parameters_of

    known = parameters_of(link)
    return [
        Step("parameter", name, (value,), {})
        for name, value in _parameters(want).items()
        if (known.get(name) or sysctls.read(name)) not in (value, None)
    ]


def _parameters(want: Wanted) -> dict[str, str]:
    """Kernel parameters of the host end.

    A jail sends from no address but its own (rp_filter, a second line behind ``source_filter``) and steers no routes of
    the host (redirects, router advertisements). Without IPv6 addresses it gets no IPv6 wire to the host either.
    ``force_forwarding`` (Linux 6.17) is to IPv6 what ``forwarding`` of a single link is to IPv4.
    """
    ipv4, ipv6 = f"net/ipv4/conf/{want.link}", f"net/ipv6/conf/{want.link}"
    values = {f"{ipv4}/rp_filter": "1", f"{ipv4}/forwarding": "1", f"{ipv4}/accept_redirects": "0"}
    if want.egress:
        from . import bandwidth

        values[f"net/ipv6/conf/{bandwidth.shaper_name(want.link)}/disable_ipv6"] = "1"
    if want.bridge:
        return {f"{ipv6}/disable_ipv6": "1"}
    if not want.ipv6:
        return {**values, f"{ipv6}/disable_ipv6": "1"}
    return {
        **values,
        f"{ipv6}/accept_ra": "0",
        f"{ipv6}/accept_redirects": "0",
        f"{ipv6}/addr_gen_mode": "1",
        f"{ipv6}/disable_ipv6": "0",
        f"{ipv6}/forwarding": "1",
        f"{ipv6}/force_forwarding": "1",
    }
