# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Change links, addresses and routes over rtnetlink(7): what ``rtnetlink`` reads.

These are the requests that every jail is made with, so they are written by hand: pyroute2 takes 180 ms to be imported
and a millisecond a request, which was a third of the processor time of making a jail. What only some jails have, limits
of their bandwidth, goes through it (``traffic_control``).
"""

from __future__ import annotations

import errno
import socket
import struct

from . import rtnetlink
from . import rtnetlink_records as records
from .announcements import packed
from .errors import KernelError
from .netlink import CREATE_NEW, CREATE_OR_REPLACE, Netlink, pack, u32
from .traffic_control import TrafficControl

_VETH_INFO_PEER, _IFLA_MACVLAN_MODE, _MACVLAN_MODE_BRIDGE = 1, 1, 4
_IFA_F_NODAD, _IFA_F_NOPREFIXROUTE = 0x02, 0x200
_FOREVER = 0xFFFFFFFF
_RTN_UNICAST, _RTNH_F_ONLINK = 1, 4


class Connection(TrafficControl):
    """A socket into the network namespace that the caller is in when it opens it.

    Every method is one netlink request and raises KernelError with the kernel's errno.
    """

    def __init__(self) -> None:
        self._netlink = Netlink(socket.NETLINK_ROUTE, "rtnetlink")
        super().__init__()

    def close(self) -> None:
        super().close()
        self._netlink.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(self, operation: str, target: str, kind: int, body: bytes, flags: int = 0) -> None:
        """Send one request and wait for the kernel's acknowledgement."""
        self._netlink.request(kind, flags, body, operation, target)

    def create_veth(self, name: str, *, peer: str, namespace: int, mac: str, mtu: int) -> None:
        """A veth(4) pair: ``name`` here, ``peer`` with this MAC at once in another network namespace.

        KernelError EEXIST where either name is taken. The kernel ignores an alias at creation: set_link() it.
        """
        other = records.LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + pack(_new(peer, mtu) + _elsewhere(namespace, mac))
        self._create("veth", name, [], pack([(_VETH_INFO_PEER, other)]), mtu)

    def create_macvlan(self, name: str, *, parent: rtnetlink.Link, namespace: int, mac: str, mtu: int) -> None:
        """A macvlan of a link, at once in another network namespace, where macvlans of the same link reach each other.

        KernelError EEXIST where the name is taken there, EBUSY where the parent is a bridge's port.
        """
        placed = [(records.IFLA_LINK, u32(parent.ifindex)), *_elsewhere(namespace, mac)]
        self._create("macvlan", name, placed, pack([(_IFLA_MACVLAN_MODE, u32(_MACVLAN_MODE_BRIDGE))]), mtu)

    def _create(self, kind: str, name: str, placed: list[tuple[int, bytes]], data: bytes, mtu: int) -> None:
        info = pack([(records.IFLA_INFO_KIND, kind.encode()), (records.IFLA_INFO_DATA, data)])
        attributes = [*_new(name, mtu), *placed, (records.IFLA_LINKINFO, info)]
        body = records.LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + pack(attributes)
        self._request("create", f"{kind} {name}", records.RTM_NEWLINK, body, CREATE_NEW)

    def set_link(
        self,
        link: rtnetlink.Link,
        *,
        up: bool | None = None,
        alias: str | None = None,
        mac: str | None = None,
        mtu: int | None = None,
        master: int | None = None,
    ) -> None:
        """Change the given properties of a link in one request; the others stay.

        ``master`` is the index of a bridge to plug it into, 0 to take it out of one.
        """
        given = [
            (records.IFLA_IFALIAS, None if alias is None else alias.encode()),
            (records.IFLA_ADDRESS, None if mac is None else _hardware(mac)),
            (records.IFLA_MTU, None if mtu is None else u32(mtu)),
            (records.IFLA_MASTER, None if master is None else u32(master)),
        ]
        changed = records.LINK.pack(
            socket.AF_UNSPEC, 0, link.ifindex, records.IFF_UP if up else 0, 0 if up is None else records.IFF_UP
        ) + pack([(kind, value) for kind, value in given if value is not None])
        self._request("set", f"link {link.name}", records.RTM_NEWLINK, changed)

    def plug_into(self, link: rtnetlink.Link, bridge: str) -> None:
        """Make a link a port of a bridge, or take it out of the one that it is in where the name is empty."""
        with rtnetlink.Reader() as reader:
            found = reader.link(name=bridge) if bridge else None
        if bridge and found is None:
            raise KernelError("find bridge", bridge, errno.ENODEV)
        self.set_link(link, master=found.ifindex if found else 0)

    def delete_link(self, name: str, *, expected_alias: str) -> bool:
        """Delete a link that carries our alias; whether there was one. KernelError EPERM where it carries another.

        The index that was looked at is the index that is deleted, so that a link which takes over the name between
        the two is safe.
        """
        with rtnetlink.Reader() as reader:
            link = reader.link(name=name)
        if link is None:
            return False
        if link.alias != expected_alias:
            raise KernelError(
                "delete", f"link {name}, which is marked {link.alias!r} and not {expected_alias!r},", errno.EPERM
            )
        self.delete(link)
        return True

    def delete(self, link: rtnetlink.Link) -> None:
        """Delete a link that the caller has proven to be ours, and with it its peer; one that is gone is no error."""
        body = records.LINK.pack(socket.AF_UNSPEC, 0, link.ifindex, 0, 0)
        self._tolerant((errno.ENODEV,), "delete", f"link {link.name}", records.RTM_DELLINK, body)

    def add_address(self, link: rtnetlink.Link, address: str, *, scope: int = rtnetlink.RT_SCOPE_UNIVERSE) -> None:
        """Add an address in prefix notation; one that is there already is no error.

        IPv6 without duplicate address detection: no other station is on the wire, and a tentative address cannot be
        bound for a second.
        """
        flags, scope = (_IFA_F_NODAD, rtnetlink.RT_SCOPE_UNIVERSE) if ":" in address else (0, scope)
        body = _address(link, address, flags=flags, scope=scope)
        self._tolerant(
            (errno.EEXIST,), "add", f"address {address} to {link.name}", records.RTM_NEWADDR, body, CREATE_NEW
        )

    def carry_address(self, link: rtnetlink.Link, address: str, *, metric: int, replace: bool = False) -> None:
        """Have a link of the host carry a single address, marked by its metric; KernelError EEXIST if it does already.

        ``replace`` gives an address that is there the mark. IPv6 without duplicate address detection, as above, and
        as an address that nothing chooses as its source by itself (RFC 6724, section 5, rule 3): it is not the host's.
        """
        body = _address(link, address) + pack([(records.IFA_RT_PRIORITY, u32(metric))])
        if ":" in address:
            never_preferred = struct.pack("=IIII", 0, _FOREVER, 0, 0)
            body += pack(
                [
                    (records.IFA_FLAGS, u32(_IFA_F_NODAD | _IFA_F_NOPREFIXROUTE)),
                    (records.IFA_CACHEINFO, never_preferred),
                ]
            )
        flags = CREATE_OR_REPLACE if replace else CREATE_NEW
        operation = "replace" if replace else "add"
        self._request(operation, f"address {address} on {link.name}", records.RTM_NEWADDR, body, flags)

    def remove_address(self, link: rtnetlink.Link, address: str) -> None:
        """Remove an address; one that is gone is no error."""
        target = f"address {address} from {link.name}"
        self._tolerant((errno.EADDRNOTAVAIL,), "remove", target, records.RTM_DELADDR, _address(link, address))

    def add_route(self, link: rtnetlink.Link, to: str, *, via: str = "") -> None:
        """Add a route of ours through a link: to a gateway ``via`` that is taken to be on the wire, or straight.

        KernelError EEXIST where there is a route to the same destination, whoever's it is.
        """
        body = _route(link, to, via, rtnetlink.ROUTE_PROTOCOL)
        self._request("add", f"route {to} through {link.name}", records.RTM_NEWROUTE, body, CREATE_NEW)

    def remove_route(
        self, link: rtnetlink.Link, to: str, *, via: str = "", protocol: int = rtnetlink.ROUTE_PROTOCOL
    ) -> None:
        """Remove a route, of ours unless another protocol is given; one that is gone is no error."""
        body = _route(link, to, via, protocol)
        self._tolerant((errno.ESRCH,), "remove", f"route {to} through {link.name}", records.RTM_DELROUTE, body)

    def _tolerant(
        self, harmless: tuple[int, ...], operation: str, target: str, kind: int, body: bytes, flags: int = 0
    ) -> None:
        try:
            self._request(operation, target, kind, body, flags)
        except KernelError as error:
            if error.errno not in harmless:
                raise


def _new(name: str, mtu: int) -> list[tuple[int, bytes]]:
    return [(records.IFLA_IFNAME, name.encode() + b"\0"), (records.IFLA_MTU, u32(mtu))]


def _elsewhere(namespace: int, mac: str) -> list[tuple[int, bytes]]:
    return [(records.IFLA_NET_NS_FD, u32(namespace)), (records.IFLA_ADDRESS, _hardware(mac))]


def _hardware(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _address(link: rtnetlink.Link, address: str, *, flags: int = 0, scope: int = 0) -> bytes:
    ip, _unused, bits = address.partition("/")
    kinds = (records.IFA_ADDRESS,) if ":" in ip else (records.IFA_LOCAL, records.IFA_ADDRESS)
    header = records.ADDRESS.pack(_family(ip), int(bits), flags, scope, link.ifindex)
    return header + pack([(kind, packed(ip)) for kind in kinds])


def _family(ip: str) -> int:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def _route(link: rtnetlink.Link, to: str, via: str, protocol: int) -> bytes:
    ip, _unused, bits = to.partition("/")
    scope = rtnetlink.RT_SCOPE_UNIVERSE if via or ":" in ip else rtnetlink.RT_SCOPE_LINK
    flags = _RTNH_F_ONLINK if via else 0
    header = (_family(ip), int(bits), 0, 0, rtnetlink.RT_TABLE_MAIN, protocol, scope, _RTN_UNICAST, flags)
    attributes = [(records.RTA_OIF, u32(link.ifindex))]
    if int(bits):
        attributes.append((records.RTA_DST, packed(ip)))
    if via:
        attributes.append((records.RTA_GATEWAY, packed(via)))
    return records.ROUTE.pack(*header) + pack(attributes)
