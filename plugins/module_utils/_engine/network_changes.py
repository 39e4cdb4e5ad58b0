# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import errno
import os

from .._kernel import announcements, files, iproute, links, namespaces, sysctls
from .._kernel.errors import KernelError
from .._kernel.rtnetlink import Link, Reader
from . import bandwidth, places
from .errors import EngineError
from .network_conflicts import conflict
from .network_state import JAIL_LINK, Facts, Step, Wanted, loopback_mark, mark, marked_jail

# Of a new namespace, before anything can be in it: no router advertisement configures a jail, and no address is ever
# tentative. Nobody in it needs privileges for ping(8). A kernel without IPv6 lacks some of these.
_PARAMETERS = {
    "net/ipv4/ping_group_range": "0 2147483647",
    "net/ipv6/conf/all/accept_ra": "0",
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
}
# A namespace that the host owns gives the jail's root no power, and so none to bind the ports below 1024 either.
_HOST_OWNED_PARAMETERS = {**_PARAMETERS, "net/ipv4/ip_unprivileged_port_start": "0"}

# What needs more of the kernel than a network does.
_SHAPING = ("create_ifb", "limit", "redirect_ingress")


def require_library(want: Wanted) -> None:
    """EngineError where a bandwidth is asked for and pyroute2 is not installed for this Python."""
    if (want.ingress or want.egress) and not iproute.is_available():
        raise _no_library(want)


def _no_library(want: Wanted) -> EngineError:
    return EngineError(
        want.jail,
        "pyroute2 is not installed for the Python that runs this",
        path="ip.bandwidth",
        remedy="install python3-pyroute2; the role hosting.jails.host does it",
    )


class Changes:
    """The requests that change one jail's network, over one socket on the host and one in the jail.

    Both are opened when the first request needs them.
    """

    def __init__(self, want: Wanted) -> None:
        self._want = want
        self._path = places.namespace(want.jail, "net")
        self._open = contextlib.ExitStack()
        self._connections: dict[str, links.Connection] = {}

    def __enter__(self) -> Changes:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _host(self) -> links.Connection:
        if "host" not in self._connections:
            self._connections["host"] = self._connect()
        return self._connections["host"]

    def _jail(self) -> links.Connection:
        """A socket keeps the namespace in which it was opened, so the process itself need not stay there."""
        if "jail" not in self._connections:
            with files.closing(namespaces.open_pin(self._path)) as fd, namespaces.visiting(fd, namespaces.NEWNET):
                self._connections["jail"] = self._connect()
        return self._connections["jail"]

    def _connect(self) -> links.Connection:
        return self._open.enter_context(links.Connection())

    def create_namespace(self) -> None:
        """Make and furnish the namespace, then pin it: an interrupted run leaves none, never a bare one."""
        want = self._want
        with contextlib.ExitStack() as stack:
            user = stack.enter_context(files.closing(self._user_namespace())) if want.owns_its_stack else None
            fd = stack.enter_context(files.closing(namespaces.new_network_namespace(user_namespace=user)))
            with namespaces.visiting(fd, namespaces.NEWNET):
                _set_parameters(want)
                self._connections["jail"] = self._connect()
                self._connections["jail"].set_link(_loopback(), up=True, alias=loopback_mark(want.jail, want.mode))
            files.make_directory(os.path.dirname(self._path))
            namespaces.pin(fd, self._path)

    def _user_namespace(self) -> int:
        path = places.namespace(self._want.jail, "user")
        if not namespaces.is_pinned(path):
            raise EngineError(self._want.jail, f"its user namespace is not pinned at {path}")
        return namespaces.open_pin(path)

    def create_link(self) -> None:
        """Make the veth pair, its jail end at once in the jail, or the macvlan. EngineError where a name is taken."""
        want = self._want
        if want.parent:
            self._create_macvlan()
            return
        self._delete_orphan()
        self.delete_lost_shaper()
        try:
            with files.closing(namespaces.open_pin(self._path)) as fd:
                self._host().create_veth(want.link, peer=JAIL_LINK, namespace=fd, mac=want.mac, mtu=want.mtu)
        except KernelError as error:
            if error.errno != errno.EEXIST:
                raise
            raise EngineError(
                want.jail,
                f"the host has a link {want.link} that is not this jail's",
                remedy=f"give that link another name: ip link set {want.link} name NEW",
            ) from error

    def _create_macvlan(self) -> None:
        want = self._want
        with Reader() as reader:
            parent = reader.link(name=want.parent)
        if parent is None:
            raise missing_link(want)
        try:
            with files.closing(namespaces.open_pin(self._path)) as fd:
                self._host().create_macvlan(JAIL_LINK, parent=parent, namespace=fd, mac=want.mac, mtu=want.mtu)
        except KernelError as error:
            raise EngineError(
                want.jail,
                f"{want.parent} takes no macvlan with that MAC and MTU ({error})",
                path="ip.parent",
                remedy="a port of a bridge takes none; no two of a link share a MAC, and none is larger than its link",
            ) from error

    def _delete_orphan(self) -> None:
        """Our name with the mark of a jail that has no namespace any more: some process has kept that alive."""
        with Reader() as reader:
            link = reader.link(name=self._want.link)
        other = marked_jail(link.alias) if link else ""
        if other and not namespaces.is_pinned(places.namespace(other, "net")):
            self._host().delete_link(self._want.link, expected_alias=mark(other))

    def delete_lost_shaper(self) -> None:
        """A shaper under our name whose pair is gone: nothing else leads to it any more."""
        with Reader() as reader:
            shaper = bandwidth.read_shaper(reader, self._want.link, mark(self._want.jail))
        if shaper is not None:
            self._host().delete(shaper.link)

    def delete(self, facts: Facts) -> None:
        """Delete the ends that are there; of a pair, one end takes the other along.

        The shaper goes before the pair, by which it is found.
        """
        if facts.shaper is not None:
            self._host().delete(facts.shaper.link)
        if facts.host is not None:
            self._host().delete(facts.host.link)
        if facts.jail is not None and not facts.paired:
            self._jail().delete(facts.jail.link)

    def send(self, steps: list[Step]) -> None:
        """Send requests in their order."""
        for step in steps:
            if step.where == "parameter":
                sysctls.write(step.method, *step.arguments)
            elif step.where == "announcement":
                self._announce(*step.arguments)
            else:
                self._request(self._host() if step.where == "host" else self._jail(), step)

    def _announce(self, link: Link, address: str) -> None:
        with files.closing(namespaces.open_pin(self._path)) as fd, namespaces.visiting(fd, namespaces.NEWNET):
            announcements.announce(link, address)

    def _request(self, connection: links.Connection, step: Step) -> None:
        try:
            getattr(connection, step.method)(*step.arguments, **step.options)
        except KernelError as error:
            refusal = self._refusal(step, error)
            if refusal is None:
                raise
            raise refusal from error

    def _refusal(self, step: Step, error: KernelError) -> EngineError | None:
        """What a kernel's refusal means to the operator, None where its own words say it best."""
        want = self._want
        if error.errno == errno.ENOPKG:
            return _no_library(want)
        if step.method == "plug_into":
            return missing_link(want) if error.errno == errno.ENODEV else _no_bridge(want)
        if step.method in _SHAPING and error.errno in (errno.ENOENT, errno.EOPNOTSUPP):
            return EngineError(
                want.jail,
                f"this kernel cannot limit what a jail sends and receives ({error})",
                path="ip.bandwidth",
                remedy="give it the modules sch_tbf, ifb and act_mirred",
            )
        if step.method == "create_ifb" and error.errno == errno.EEXIST:
            name = step.arguments[0]
            return EngineError(
                want.jail,
                f"the host has a link {name} that is not this jail's",
                remedy=f"give that link another name: ip link set {name} name NEW",
            )
        if step.method == "filter_ingress" and error.errno in (errno.ENOENT, errno.EOPNOTSUPP, errno.ENOSYS):
            return EngineError(
                want.jail,
                f"this kernel cannot hold a jail to its addresses ({error})",
                path="ip.mode",
                remedy="give it the modules sch_ingress and cls_bpf",
            )
        if step.method != "add_route" or error.errno != errno.EEXIST:
            return None
        to = step.arguments[1]
        if step.where == "host":
            # The kernel is the last judge: two runs that define two jails with one address meet here.
            return conflict(want, want.addresses.index(to), "this host routes it elsewhere")
        return EngineError(
            want.jail,
            f"the jail has another route to {to}",
            path="ip.routes",
            remedy=f"remove that one inside the jail: ip route delete {to}",
        )


def refuse_missing_wire(want: Wanted) -> None:
    """EngineError for a bridge or parent that the host does not have, or that is none."""
    if want.routed:
        return
    with Reader() as reader:
        link = reader.link(name=want.bridge or want.parent)
    if link is None:
        raise missing_link(want)
    if want.bridge and link.kind != "bridge":
        raise _no_bridge(want)


def missing_link(want: Wanted) -> EngineError:
    """The refusal of a bridge or parent that the host does not have."""
    option, name = ("bridge", want.bridge) if want.bridge else ("parent", want.parent)
    remedy = "make it first, or write the name of a link that ip link shows"
    return EngineError(want.jail, f"the host has no link {name!r}", path=f"ip.{option}", remedy=remedy)


def _no_bridge(want: Wanted) -> EngineError:
    return EngineError(
        want.jail,
        f"{want.bridge!r} is no bridge of the host",
        path="ip.bridge",
        remedy="write the name of a bridge that ip link show type bridge shows; one has at most 1023 ports",
    )


def _set_parameters(want: Wanted) -> None:
    counts = want.owns_its_stack or want.counts_capabilities
    for name, value in (_PARAMETERS if counts else _HOST_OWNED_PARAMETERS).items():
        if sysctls.read(name) is not None:
            sysctls.write(name, value)


def _loopback() -> Link:
    with Reader() as reader:
        link = reader.link(name="lo")
    if link is None:
        raise KernelError("find link", "lo", errno.ENODEV)
    return link
