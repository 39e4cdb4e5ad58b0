# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Read links, addresses and routes straight from rtnetlink(7), and never change them.

What changes them is ``links``. Most calls only have to see that nothing is to be done; these requests answer that in a
fraction of a millisecond. A kernel reply is a binary record, not another tool's text.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Collection
from typing import NamedTuple

from . import rtnetlink_records as records
from .errors import KernelError
from .netlink import ACKNOWLEDGE, DUMP, Netlink, pack, u32, unpack

_RTEXT_FILTER_SKIP_STATS = 8
_RTM_F_FIB_MATCH = 0x2000
_TCA_TBF_PARMS = 1
_TC_ROOT = 0xFFFFFFFF
_ECHO = 0x08
_TOKEN_BUCKET = "tbf"
_NETNSA_NSID, _NETNSA_FD = 1, 3

# The beginning of struct rtnl_link_stats64: packets and then bytes, each received and sent.
_STATISTICS = struct.Struct("=QQQQ")
# Of struct tc_tbf_qopt: the rate and, behind that for peaks, the limit.
_TBF = struct.Struct("=8xI12xI")

RT_SCOPE_UNIVERSE, RT_SCOPE_LINK = 0, 253
RT_TABLE_MAIN = 254
RTN_LOCAL = 2
# Added to a jail's number it is the metric of every address that we add to a link of the host, so that we know ours
# again: the one mark that the kernel keeps of an address of either family (Linux 4.18). No route has it, since a single
# address has no network.
ADDRESS_METRIC = 106_000_000
# rtm_protocol of every route that we make: nobody else's number in iproute2's rt_protos, so that we know ours again.
ROUTE_PROTOCOL = 106
# Where the clsact qdisc takes filters for what a link receives (tc-bpf(8)).
TC_INGRESS, TC_EGRESS = 0xFFFFFFF2, 0xFFFFFFF3


class Link(NamedTuple):
    """A network interface.

    ``peer`` is the other end's index (veth) in ITS namespace, 0 where there is none, and ``peer_namespace`` is the id
    of that namespace as in Reader.namespace_id(), None where it is this one. ``qdisc`` is the kind of what decides when
    it sends (tc(8)), ``master`` the index of the bridge that it is plugged into, 0 for none. ``settings`` are as the
    kernel packs them, see ``link_parameters``.
    """

    ifindex: int
    name: str
    kind: str
    alias: str
    mac: str
    mtu: int
    up: bool
    peer: int
    peer_namespace: int | None
    qdisc: str = ""
    master: int = 0
    settings: bytes = b""


class TokenBucket(NamedTuple):
    """How fast a link sends: ``rate`` is bytes a second, ``limit`` the bytes that may wait (tc-tbf(8))."""

    rate: int
    limit: int


class Traffic(NamedTuple):
    """What a link has received and sent since it was made."""

    received_packets: int
    sent_packets: int
    received_bytes: int
    sent_bytes: int


class Address(NamedTuple):
    """An address of a link in prefix notation: ``10.20.0.11/32``, ``fd00:20::11/128``.

    ``metric`` is that of the route to its network, 0 where the kernel chooses.
    """

    link: int
    address: str
    scope: int
    metric: int = 0

    @property
    def ip(self) -> str:
        """Without the prefix."""
        return self.address.partition("/")[0]


class Route(NamedTuple):
    """A route: ``to`` in prefix notation, ``via`` and ``link`` empty or 0 where the route has none."""

    to: str
    via: str
    link: int
    type: int
    protocol: int


class Reader(Netlink):
    """A socket that asks one network namespace about its links, addresses and routes."""

    def __init__(self) -> None:
        super().__init__(socket.NETLINK_ROUTE, "rtnetlink")

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def link(self, *, name: str = "", index: int = 0) -> Link | None:
        """One link by its name or index, None where there is none."""
        filters = [(records.IFLA_EXT_MASK, u32(_RTEXT_FILTER_SKIP_STATS))]
        if name:
            filters.append((records.IFLA_IFNAME, name.encode() + b"\0"))
        request = records.LINK.pack(0, 0, index, 0, 0) + pack(filters)
        try:
            bodies = self.ask(records.RTM_GETLINK, 0, request, records.RTM_NEWLINK, f"link {name or index}")
        except KernelError as error:
            if error.errno in (errno.ENODEV, errno.ENXIO):
                return None
            raise
        return _parse_link(bodies[0])

    def links(self) -> list[Link]:
        """All links of the namespace."""
        request = records.LINK.pack(0, 0, 0, 0, 0) + pack([(records.IFLA_EXT_MASK, u32(_RTEXT_FILTER_SKIP_STATS))])
        return [
            _parse_link(body) for body in self.ask(records.RTM_GETLINK, DUMP, request, records.RTM_NEWLINK, "links")
        ]

    def traffic(self, link: Link) -> Traffic | None:
        """What went through a link, None where it is gone."""
        request = records.LINK.pack(0, 0, link.ifindex, 0, 0)
        try:
            (body,) = self.ask(records.RTM_GETLINK, 0, request, records.RTM_NEWLINK, f"statistics of link {link.name}")
        except KernelError as error:
            if error.errno in (errno.ENODEV, errno.ENXIO):
                return None
            raise
        return Traffic(*_STATISTICS.unpack_from(unpack(body[records.LINK.size :])[records.IFLA_STATS64]))

    def addresses(self, link: int) -> list[Address]:
        """Addresses of one link, both families; none where the link is gone. 0 stands for all links."""
        request = records.ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, link)
        try:
            bodies = self.ask(records.RTM_GETADDR, DUMP, request, records.RTM_NEWADDR, f"addresses of link {link}")
        except KernelError as error:
            if error.errno == errno.ENODEV:
                return []
            raise
        return [_parse_address(body) for body in bodies]

    def addresses_like(self, addresses: Collection[str], *, metric: int = 0) -> list[Address]:
        """Addresses of all links that are among some (without prefix), or that have a metric.

        What is neither is not looked at any closer: a host of many jails has thousands.
        """
        kinds = (records.IFA_ADDRESS, records.IFA_LOCAL)
        signs = [pack([(kind, _packed(address)[1])]) for address in addresses for kind in kinds]
        if metric:
            signs.append(pack([(records.IFA_RT_PRIORITY, u32(metric))]))
        request = records.ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        bodies = self.ask(records.RTM_GETADDR, DUMP, request, records.RTM_NEWADDR, "addresses")
        found = [_parse_address(body) for body in bodies if any(sign in body for sign in signs)]
        return [one for one in found if one.ip in addresses or (metric and one.metric == metric)]

    def routes(self, link: int) -> list[Route]:
        """Routes of the main table through one link, both families. 0 stands for all links."""
        found: list[Route] = []
        for family in (socket.AF_INET, socket.AF_INET6):
            filters = [(records.RTA_TABLE, u32(RT_TABLE_MAIN))]
            if link:
                filters.append((records.RTA_OIF, u32(link)))
            request = records.ROUTE.pack(family, 0, 0, 0, RT_TABLE_MAIN, 0, 0, 0, 0) + pack(filters)
            try:
                bodies = self.ask(records.RTM_GETROUTE, DUMP, request, records.RTM_NEWROUTE, f"routes of link {link}")
            except KernelError as error:
                # ENOENT: nothing was ever put into this table. EOPNOTSUPP: a kernel without IPv6. ENODEV: no such link.
                if error.errno in (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV):
                    continue
                raise
            found += [_parse_route(body) for body in bodies]
        return found

    def route_to(self, address: str) -> Route | None:
        """The entry of the routing tables that a packet to an address would take, None where it is unreachable."""
        family, packed = _packed(address)
        bits = len(packed) * 8
        request = records.ROUTE.pack(family, bits, 0, 0, 0, 0, 0, 0, _RTM_F_FIB_MATCH) + pack(
            [(records.RTA_DST, packed)]
        )
        try:
            bodies = self.ask(records.RTM_GETROUTE, 0, request, records.RTM_NEWROUTE, f"route to {address}")
        except KernelError as error:
            if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.EOPNOTSUPP):
                return None
            raise
        return _parse_route(bodies[0])

    def ingress_filters(self, link: int) -> list[str]:
        """Names of the bpf filters for what a link receives, in the order of their priority."""
        return self._filters(link, TC_INGRESS)

    def egress_filters(self, link: int) -> list[str]:
        """Names of the bpf filters for what a link sends, in the order of their priority."""
        return self._filters(link, TC_EGRESS)

    def _filters(self, link: int, place: int) -> list[str]:
        request = records.TRAFFIC.pack(socket.AF_UNSPEC, link, 0, place, 0)
        try:
            bodies = self.ask(records.RTM_GETTFILTER, DUMP, request, records.RTM_NEWTFILTER, f"filters of link {link}")
        except KernelError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV):
                return []
            raise
        options = [unpack(unpack(body[records.TRAFFIC.size :]).get(records.TCA_OPTIONS, b"")) for body in bodies]
        return [_text(option[records.TCA_BPF_NAME]) for option in options if records.TCA_BPF_NAME in option]

    def token_bucket(self, link: Link) -> TokenBucket | None:
        """The limit of a link, None where it has none, or is gone."""
        if link.qdisc != _TOKEN_BUCKET:
            return None
        request = records.TRAFFIC.pack(socket.AF_UNSPEC, link.ifindex, 0, _TC_ROOT, 0)
        # Kernels before 6.7 answer only who wants to hear of his own change, and the answer has no mark of its end.
        try:
            bodies = self.ask(
                records.RTM_GETQDISC, _ECHO | ACKNOWLEDGE, request, records.RTM_NEWQDISC, f"limit of link {link.name}"
            )
        except KernelError as error:
            if error.errno in (errno.ENODEV, errno.ENOENT):
                return None
            raise
        parameters = unpack(unpack(bodies[0][records.TRAFFIC.size :]).get(records.TCA_OPTIONS, b"")).get(_TCA_TBF_PARMS)
        return TokenBucket(*_TBF.unpack_from(parameters)) if parameters else None

    def namespace_id(self, fd: int) -> int | None:
        """Number by which this namespace knows another one (ip-netns(8), nsid); None where they have no link in common.

        A process that has power over this namespace can choose the number, but not give it to two.
        """
        request = bytes(4) + pack([(_NETNSA_FD, struct.pack("=i", fd))])
        body = self.ask(records.RTM_GETNSID, 0, request, records.RTM_NEWNSID, f"id of namespace {fd}")[0]
        number = struct.unpack("=i", unpack(body[4:])[_NETNSA_NSID])[0]
        return number if number >= 0 else None


def _packed(address: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


def _number(value: bytes) -> int:
    return int.from_bytes(value, "little" if sys.byteorder == "little" else "big")


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _parse_link(body: bytes) -> Link:
    _unused, _unused, index, flags, _unused = records.LINK.unpack_from(body)
    attributes = unpack(body[records.LINK.size :])
    namespace = attributes.get(records.IFLA_LINK_NETNSID)
    return Link(
        ifindex=index,
        name=_text(attributes.get(records.IFLA_IFNAME, b"")),
        kind=_text(unpack(attributes.get(records.IFLA_LINKINFO, b"")).get(records.IFLA_INFO_KIND, b"")),
        alias=_text(attributes.get(records.IFLA_IFALIAS, b"")),
        mac=attributes.get(records.IFLA_ADDRESS, b"").hex(":"),
        mtu=_number(attributes.get(records.IFLA_MTU, b"")),
        up=bool(flags & records.IFF_UP),
        peer=_number(attributes.get(records.IFLA_LINK, b"")),
        peer_namespace=_number(namespace) if namespace else None,
        qdisc=_text(attributes.get(records.IFLA_QDISC, b"")),
        master=_number(attributes.get(records.IFLA_MASTER, b"")),
        settings=attributes.get(records.IFLA_AF_SPEC, b""),
    )


def _parse_address(body: bytes) -> Address:
    family, bits, _unused, scope, link = records.ADDRESS.unpack_from(body)
    attributes = unpack(body[records.ADDRESS.size :])
    # On a point-to-point address IFA_ADDRESS is the peer; IFA_LOCAL is ours (rtnetlink(7)).
    packed = attributes.get(records.IFA_LOCAL) or attributes[records.IFA_ADDRESS]
    metric = _number(attributes.get(records.IFA_RT_PRIORITY, b""))
    return Address(link=link, address=f"{socket.inet_ntop(family, packed)}/{bits}", scope=scope, metric=metric)


def _parse_route(body: bytes) -> Route:
    family, bits, _unused, _unused, _unused, protocol, _unused, kind, _unused = records.ROUTE.unpack_from(body)
    attributes = unpack(body[records.ROUTE.size :])
    anywhere = bytes(16 if family == socket.AF_INET6 else 4)
    gateway = attributes.get(records.RTA_GATEWAY)
    return Route(
        to=f"{socket.inet_ntop(family, attributes.get(records.RTA_DST, anywhere))}/{bits}",
        via=socket.inet_ntop(family, gateway) if gateway else "",
        link=_number(attributes.get(records.RTA_OIF, b"")),
        type=kind,
        protocol=protocol,
    )
