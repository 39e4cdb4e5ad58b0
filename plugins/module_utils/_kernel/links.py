# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Change links, addresses and routes, through pyroute2 alone (0.7.2 of Debian 12 up to 0.9.7).

pyroute2 is imported when a socket is opened, never before: it costs about 180 ms, and the runs that change nothing do
without it (``rtnetlink`` reads). Its helpers for other network namespaces start a process each, 10 ms a call; instead
a caller goes to the namespace (``namespaces.visiting``) and opens a socket there, which stays there.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from typing import Any

from . import rtnetlink
from .errors import KernelError
from .traffic_control import TrafficControl

_IFA_F_NODAD, _IFA_F_NOPREFIXROUTE = 0x02, 0x200
_FOREVER = 0xFFFFFFFF
_RTNH_F_ONLINK = 4
# The tenth attribute of an address (linux/if_addr.h), as pyroute2 names it.
_RT_PRIORITY = ("IFA_RT_PRIORITY", "uint32")


def is_available() -> bool:
    """Whether this Python has pyroute2; looked up without importing it."""
    from importlib.util import find_spec

    _see_packages()
    try:
        return find_spec("pyroute2") is not None
    except ValueError:  # what find_spec() says of a module that was blocked
        return False


def load() -> None:
    """Import pyroute2 now, if it is there: for who forks processes that would each do it."""
    if is_available():
        import pyroute2  # noqa: F401


def _see_packages() -> None:
    """Look for packages where the distribution puts them; jailctl starts without (-S), for the runs that need none."""
    if sys.flags.no_site:
        import site

        site.addsitepackages(set(sys.path))


class Connection(TrafficControl):
    """A pyroute2 socket into the network namespace that the caller is in when it opens it.

    Every method is one netlink request and raises KernelError with the kernel's errno. KernelError ENOPKG says that
    pyroute2 is not installed for this Python.
    """

    def __init__(self) -> None:
        _see_packages()
        try:
            from pyroute2 import IPRoute
            from pyroute2.netlink.exceptions import NetlinkError
            from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
        except ImportError as error:
            raise KernelError("import", "pyroute2", errno.ENOPKG) from error
        if _RT_PRIORITY not in ifaddrmsg.nla_map:  # it is from 0.8 on
            ifaddrmsg.nla_map = (*ifaddrmsg.nla_map[:9], _RT_PRIORITY)
        self._refusal: type[Exception] = NetlinkError
        self._socket: Any = _translated("open", "rtnetlink", NetlinkError, IPRoute)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(self, operation: str, target: str, method: str, *arguments: Any, **options: Any) -> None:
        """Send one request and wait for the kernel's acknowledgement."""
        _translated(operation, target, self._refusal, getattr(self._socket, method), *arguments, **options)

    def create_veth(self, name: str, *, peer: str, namespace: int, mac: str, mtu: int) -> None:
        """A veth(4) pair: ``name`` here, ``peer`` with this MAC at once in another network namespace.

        KernelError EEXIST where either name is taken. The kernel ignores an alias at creation: set_link() it.
        """
        self._request(
            "create veth",
            name,
            "link",
            "add",
            ifname=name,
            kind="veth",
            mtu=mtu,
            peer={"ifname": peer, "net_ns_fd": namespace, "address": mac, "mtu": mtu},
        )

    def create_macvlan(self, name: str, *, parent: rtnetlink.Link, namespace: int, mac: str, mtu: int) -> None:
        """A macvlan of a link, at once in another network namespace, where macvlans of the same link reach each other.

        KernelError EEXIST where the name is taken there, EBUSY where the parent is a bridge's port.
        """
        self._request(
            "create macvlan of",
            parent.name,
            "link",
            "add",
            ifname=name,
            kind="macvlan",
            link=parent.ifindex,
            macvlan_mode="bridge",
            net_ns_fd=namespace,
            address=mac,
            mtu=mtu,
        )

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
        options: dict[str, Any] = {"ifalias": alias, "address": mac, "mtu": mtu, "master": master}
        if up is not None:
            options["state"] = "up" if up else "down"
        given = {name: value for name, value in options.items() if value is not None}
        self._request("set", f"link {link.name}", "link", "set", index=link.ifindex, **given)

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
        self._tolerant((errno.ENODEV,), "delete", f"link {link.name}", "link", "del", index=link.ifindex)

    def add_address(self, link: rtnetlink.Link, address: str, *, scope: int = rtnetlink.RT_SCOPE_UNIVERSE) -> None:
        """Add an address in prefix notation; one that is there already is no error.

        IPv6 without duplicate address detection: no other station is on the wire, and a tentative address cannot be
        bound for a second.
        """
        self._tolerant(
            (errno.EEXIST,), "add", f"address {address} to {link.name}", "addr", "add", **_address(link, address, scope)
        )

    def carry_address(self, link: rtnetlink.Link, address: str, *, metric: int, replace: bool = False) -> None:
        """Have a link of the host carry a single address, marked by its metric; KernelError EEXIST if it does already.

        ``replace`` gives an address that is there the mark. IPv6 without duplicate address detection, as above, and
        as an address that nothing chooses as its source by itself (RFC 6724, section 5, rule 3): it is not the host's.
        """
        ip, _unused, bits = address.partition("/")
        options: dict[str, Any] = {"index": link.ifindex, "address": ip, "prefixlen": int(bits), "rt_priority": metric}
        if ":" in ip:
            lifetimes = {"preferred": 0, "valid": _FOREVER}
            # The versions of pyroute2 look for them in different places.
            options |= {"flags": _IFA_F_NODAD | _IFA_F_NOPREFIXROUTE, **lifetimes, "cacheinfo": lifetimes}
        command = "replace" if replace else "add"
        self._request(command, f"address {address} on {link.name}", "addr", command, **options)

    def remove_address(self, link: rtnetlink.Link, address: str) -> None:
        """Remove an address; one that is gone is no error."""
        ip, _unused, bits = address.partition("/")
        self._tolerant(
            (errno.EADDRNOTAVAIL,),
            "remove",
            f"address {address} from {link.name}",
            "addr",
            "del",
            index=link.ifindex,
            address=ip,
            prefixlen=int(bits),
        )

    def add_route(self, link: rtnetlink.Link, to: str, *, via: str = "") -> None:
        """Add a route of ours through a link: to a gateway ``via`` that is taken to be on the wire, or straight.

        KernelError EEXIST where there is a route to the same destination, whoever's it is.
        """
        self._request("add", f"route {to} through {link.name}", "route", "add", **_route(link, to, via))

    def remove_route(
        self, link: rtnetlink.Link, to: str, *, via: str = "", protocol: int = rtnetlink.ROUTE_PROTOCOL
    ) -> None:
        """Remove a route, of ours unless another protocol is given; one that is gone is no error."""
        options = {**_route(link, to, via), "proto": protocol}
        self._tolerant((errno.ESRCH,), "remove", f"route {to} through {link.name}", "route", "del", **options)

    def _tolerant(
        self, harmless: tuple[int, ...], operation: str, target: str, method: str, *arguments: Any, **options: Any
    ) -> None:
        try:
            self._request(operation, target, method, *arguments, **options)
        except KernelError as error:
            if error.errno not in harmless:
                raise


def _address(link: rtnetlink.Link, address: str, scope: int) -> dict[str, Any]:
    ip, _unused, bits = address.partition("/")
    options: dict[str, Any] = {"index": link.ifindex, "address": ip, "prefixlen": int(bits)}
    if ":" in ip:
        return {**options, "flags": _IFA_F_NODAD}
    return {**options, "scope": scope}


def _route(link: rtnetlink.Link, to: str, via: str) -> dict[str, Any]:
    options: dict[str, Any] = {"dst": to, "oif": link.ifindex, "proto": rtnetlink.ROUTE_PROTOCOL}
    if via:
        return {**options, "gateway": via, "flags": _RTNH_F_ONLINK}
    if ":" in to:
        return options
    return {**options, "scope": rtnetlink.RT_SCOPE_LINK}


def _translated(
    operation: str, target: str, refusal: type[Exception], function: Callable[..., Any], *arguments: Any, **options: Any
) -> Any:
    try:
        return function(*arguments, **options)
    except refusal as error:
        raise KernelError(operation, target, int(getattr(error, "code", errno.EIO))) from error
    except OSError as error:
        raise KernelError.from_os_error(operation, target, error) from error
