# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Attacks on the host's network: its sockets, its addresses, and what other jails say."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable
from functools import partial

from .attack import Facts, Missing, Refused, any_of, any_of_these, attack
from .calls import syscall
from .expectations import (
    abstract_sockets,
    freely,
    is_on_host,
    loads_modules,
    low_ports,
    network_capability,
    never,
    other_families,
    own_address,
    sees_host_stack,
    unfiltered,
)

_AF_ALG, _AF_VSOCK = 38, 40
_USUAL_FAMILIES = frozenset({1, 2, 10, 16, socket.AF_PACKET, _AF_ALG, _AF_VSOCK})
_NETLINK_AUDIT, _NETLINK_SOCK_DIAG, _ERROR = 9, 4, 2
_NO = frozenset({errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT})
_SILENCE = frozenset({errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.EADDRNOTAVAIL})
_SO_DEBUG, _SO_RCVBUFFORCE, _SO_MARK = 1, 33, 36
_IP_PKTINFO, _IP_FREEBIND, _IP_TRANSPARENT = 8, 15, 19
_NOBODYS = ("192.0.2.77", "203.0.113.77", "2001:db8::77", "::ffff:192.0.2.77")


def _family_of(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _open(family: int, kind: int, protocol: int = 0) -> None:
    socket.socket(family, kind, protocol).close()


@attack(network_capability("NET_RAW"))
def open_a_packet_socket(facts: Facts) -> None:
    """Hear and send whole frames (packet(7))."""
    _open(socket.AF_PACKET, socket.SOCK_RAW, 0x300)


@attack(network_capability("NET_RAW"))
def open_raw_sockets(facts: Facts) -> list[str]:
    """Write our own headers (raw(7))."""
    return any_of(
        {
            "IPv4": lambda: _open(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
            "IPv4 with header": lambda: _open(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
            "IPv6": lambda: _open(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
        },
        _NO,
    )


@attack(loads_modules)
def reach_the_hypervisor(facts: Facts) -> None:
    """A socket to the hypervisor, which has no namespaces (vsock(7)); connected to nobody."""
    _open(_AF_VSOCK, socket.SOCK_STREAM)


@attack(loads_modules)
def use_the_kernels_cryptography(facts: Facts) -> None:
    """A socket to the kernel's cryptography (AF_ALG), whose modules are loaded for whoever asks."""
    _open(_AF_ALG, socket.SOCK_SEQPACKET)


@attack(other_families)
def use_exotic_families(facts: Facts) -> list[str]:
    """Sockets of any other family: each is a piece of kernel, and most are a module."""
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW)
    found = []
    for family in sorted(set(range(1, 47)) - _USUAL_FAMILIES):
        for kind in kinds:
            try:
                _open(family, kind)
                found.append(f"{family}/{kind}")
            except OSError as error:
                if error.errno not in _NO | {errno.EINVAL, errno.ENOSYS, errno.ENODEV}:
                    raise
    if not found:
        raise Refused("none but unix, inet, inet6, netlink, packet")
    return found


@attack(loads_modules)
def use_exotic_protocols(facts: Facts) -> list[str]:
    """SCTP, DCCP and L2TP: modules with a history."""
    return any_of(
        {
            "sctp": lambda: _open(socket.AF_INET, socket.SOCK_STREAM, 132),
            "dccp": lambda: _open(socket.AF_INET, 6, 33),
            "l2tp": lambda: _open(socket.AF_INET, socket.SOCK_DGRAM, 115),
        },
        _NO,
    )


@attack(unfiltered)
def talk_to_the_audit_system(facts: Facts) -> None:
    """The kernel's audit by netlink, which has no namespaces."""
    _open(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_AUDIT)


def _set(level: int, option: int, value: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.setsockopt(level, option, value)


@attack(network_capability("NET_ADMIN", "NET_RAW"))
def mark_packets(facts: Facts) -> None:
    """Give packets marks that the host's routes and filters may go by (SO_MARK)."""
    _set(socket.SOL_SOCKET, _SO_MARK, 1)


@attack(never)
def take_more_memory_for_sockets(facts: Facts) -> None:
    """Buffers beyond the host's limit, which the host's root alone may ask for (SO_RCVBUFFORCE)."""
    _set(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 20)


@attack(never)
def debug_sockets(facts: Facts) -> None:
    """Debugging of sockets, which the host's root alone may switch on (SO_DEBUG)."""
    _set(socket.SOL_SOCKET, _SO_DEBUG, 1)


@attack(network_capability("NET_ADMIN", "NET_RAW"))
def be_transparent(facts: Facts) -> None:
    """Bind to any address, as transparent proxies do (IP_TRANSPARENT)."""
    _set(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)


@attack(sees_host_stack)
def list_links_of_the_host(facts: Facts) -> list[str]:
    """Links of the host, by name and hardware address."""
    if not facts["host_links"]:
        raise Missing("the host has no link but its loopback")
    theirs = {tuple(link) for link in facts["host_links"]}
    seen = [name for name, address in links() if (name, address) in theirs]
    if not seen:
        raise Refused(" ".join(name for name, _unused in links()))
    return seen


def links() -> list[tuple[str, str]]:
    """Name and hardware address of every link but loopback in our network (netdevice(7))."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        for _unused, name in socket.if_nameindex():
            with contextlib.suppress(OSError):
                answer = fcntl.ioctl(made, 0x8927, struct.pack("40s", name.encode()))
                if name != "lo":
                    found.append((name, answer[18:24].hex(":")))
    return found


@attack(is_on_host, *_SILENCE)
def connect_to_loopback_of_the_host(facts: Facts) -> list[str]:
    """A service that listens on the host's loopback addresses alone."""

    def connect(address: str) -> None:
        with socket.socket(_family_of(address), socket.SOCK_STREAM) as made:
            made.settimeout(1)
            made.connect((address, facts["host_port"]))

    addresses = ("127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::ffff:127.0.0.1")
    return any_of_these(addresses, connect, _NO | _SILENCE)


@attack(abstract_sockets, errno.ECONNREFUSED)
def connect_to_abstract_sockets(facts: Facts) -> list[str]:
    """They have no path, and belong to whoever shares the network namespace (CVE-2020-15257)."""

    def connect(name: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
            made.connect(f"\0{name}")

    names = [stranger["abstract"] for stranger in facts["strangers"]]
    return any_of_these(names, connect, frozenset({errno.ECONNREFUSED, errno.EPERM}))


@attack(sees_host_stack)
def see_sockets_of_others(facts: Facts) -> list[str]:
    """Sockets of the host, in /proc/net."""
    found = set()
    for table in ("tcp", "tcp6", "udp", "unix"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/net/{table}") as file:
            text = file.read()
            if any(stranger["abstract"] in text for stranger in facts["strangers"]):
                found.add(table)
            if f":{facts['host_port']:04X} " in text:
                found.add(table)
    if not found:
        raise Refused("only our own")
    return sorted(found)


_Prepare = Callable[[socket.socket], None]


def _bind(address: str, kind: int, prepare: _Prepare) -> None:
    with socket.socket(_family_of(address), kind) as made:
        prepare(made)
        made.bind((address, 0))


def _bindings(addresses: Iterable[str], prepare: _Prepare) -> dict[str, Callable[[], None]]:
    kinds = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
    return {
        f"{name} {address}": partial(_bind, address, kind, prepare)
        for address in addresses
        for name, kind in kinds.items()
    }


_REFUSED_ADDRESS = _NO | {errno.EADDRNOTAVAIL, errno.EINVAL, errno.ENODEV}


@attack(is_on_host, *_SILENCE)
def bind_addresses_of_the_host(facts: Facts) -> list[str]:
    """Listen on an address of the host's."""
    if not facts["foreign_addresses"]:
        raise Missing("the host has no address but its loopback")
    return any_of(_bindings(facts["foreign_addresses"], lambda made: None), _REFUSED_ADDRESS)


@attack(never, *_SILENCE)
def bind_addresses_of_nobody(facts: Facts) -> list[str]:
    """Listen on an address that is neither ours nor the host's; IPv4, IPv6, and mapped."""
    return any_of(_bindings(_NOBODYS, lambda made: None), _REFUSED_ADDRESS)


@attack(freely, errno.EADDRNOTAVAIL)
def bind_freely(facts: Facts) -> list[str]:
    """Listen on an address that is nobody's, by saying that it may come later (IP_FREEBIND)."""
    return any_of(_bindings(_NOBODYS[:2], _set_free), _REFUSED_ADDRESS)


def _set_free(made: socket.socket) -> None:
    made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)


@attack(own_address, errno.EADDRNOTAVAIL)
def bind_our_own_addresses(facts: Facts) -> list[str]:
    """Listen on the jail's own addresses."""
    if not facts["own_addresses"]:
        raise Missing("the jail has no address")
    return any_of(_bindings(facts["own_addresses"], lambda made: None), _REFUSED_ADDRESS)


@attack(low_ports)
def bind_low_ports(facts: Facts) -> int:
    """Listen on a port below 1024."""
    own = next((address for address in facts["own_addresses"] if ":" not in address), "0.0.0.0")
    for port in range(1023, 900, -1):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
            try:
                made.bind((own, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            return port
    raise Missing("all of them are taken")


def _ask_rtnetlink(kind: int, body: bytes) -> None:
    """Ask for a change that changes nothing: the kernel looks for permission before it looks for what we name."""
    _ask(socket.NETLINK_ROUTE, kind, body)


def _ask(protocol: int, kind: int, body: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as made:
        made.settimeout(2)
        made.send(struct.pack("=IHHII", 16 + len(body), kind, 0x05, 1, 0) + body)
        answer = made.recv(4096)
    kind, code = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
    if kind == _ERROR and code in (-errno.EPERM, -errno.EACCES):
        raise OSError(-code, os.strerror(-code))


_NO_INDEX = 0x7FFFFFF0
_ETH_P_IP = 0x0800


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value


@attack(network_capability("NET_ADMIN"))
def change_addresses(facts: Facts) -> None:
    """Remove an address that is not there (RTM_DELADDR)."""
    body = struct.pack("=BBBBI", socket.AF_INET, 32, 0, 0, _NO_INDEX)
    _ask_rtnetlink(21, body + _attribute(2, socket.inet_aton("192.0.2.77")))


@attack(network_capability("NET_ADMIN"))
def change_routes(facts: Facts) -> None:
    """Remove a route that is not there (RTM_DELROUTE)."""
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 254, 4, 0, 6, 0)
    _ask_rtnetlink(25, body + _attribute(1, socket.inet_aton("192.0.2.77")))


@attack(network_capability("NET_ADMIN"))
def change_links(facts: Facts) -> None:
    """Remove a link that is not there (RTM_DELLINK)."""
    _ask_rtnetlink(17, struct.pack("=BxHiII", 0, 0, _NO_INDEX, 0, 0))


@attack(network_capability("NET_ADMIN"))
def change_routing_rules(facts: Facts) -> None:
    """Remove a rule that is not there (RTM_DELRULE)."""
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 32, 0, 254, 0, 0, 1, 0)
    _ask_rtnetlink(33, body + _attribute(2, socket.inet_aton("192.0.2.77")))


@attack(network_capability("NET_ADMIN"))
def change_neighbours(facts: Facts) -> None:
    """Remove a neighbour that is not there, as ARP spoofing on this machine would write one (RTM_DELNEIGH)."""
    body = struct.pack("=BxxxiHBB", socket.AF_INET, _NO_INDEX, 0, 0, 0)
    _ask_rtnetlink(29, body + _attribute(1, socket.inet_aton("192.0.2.77")))


@attack(network_capability("NET_ADMIN"))
def change_traffic_control(facts: Facts) -> None:
    """Remove a queue that is not there (RTM_DELQDISC)."""
    _ask_rtnetlink(37, struct.pack("=BxxxiIII", 0, _NO_INDEX, 0, 0xFFFFFFFF, 0))


@attack(network_capability("NET_ADMIN"), errno.EOPNOTSUPP)
def change_the_firewall(facts: Facts) -> None:
    """Talk to nf_tables, which has an answer only for who may change it."""
    # NFT_MSG_GETGEN, which changes nothing.
    _ask(12, 10 << 8 | 16, struct.pack("=BBH", 0, 0, 0))


@attack(is_on_host, *_SILENCE, errno.EINVAL)
def send_from_addresses_of_the_host(facts: Facts) -> list[str]:
    """Name an address of the host's as the source of a datagram (IP_PKTINFO)."""
    addresses = [address for address in facts["foreign_addresses"] if ":" not in address]
    if not addresses:
        raise Missing("the host has no address but its loopback")
    return any_of_these(addresses, _send_from, _REFUSED_ADDRESS)


@attack(never, *_SILENCE, errno.EINVAL)
def send_from_addresses_of_nobody(facts: Facts) -> None:
    """Name an address that is nobody's as the source of a datagram (IP_PKTINFO)."""
    _send_from("192.0.2.77")


def _send_from(address: str) -> None:
    source = struct.pack("=i4s4s", 0, socket.inet_aton(address), bytes(4))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendmsg([b""], [(socket.IPPROTO_IP, _IP_PKTINFO, source)], 0, ("127.0.0.1", 9))


def _datagram(source: str, target: str, port: int, data: bytes) -> bytes:
    """A whole packet of IPv4 and UDP (RFC 791, RFC 768), without the checksum of the latter."""
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    start = struct.pack("!BBHHHBB", 0x45, 0, 28 + len(data), 0, 0, 64, socket.IPPROTO_UDP)
    words = struct.unpack("!9H", start + addresses)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    header = start + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + addresses
    return header + struct.pack("!HHHH", 999, port, 8 + len(data), 0) + data


@attack(never, *_SILENCE, heard=True)
def send_from_addresses_of_others(facts: Facts) -> list[str]:
    """Send datagrams with sources that are not ours, by every way that we have: none may arrive outside."""
    if not facts["receiver"]:
        raise Missing("the host has no address that this jail reaches")
    target, port = facts["receiver"]
    ways: dict[str, Callable[[], object]] = {}
    for address in facts["spoofed"]:
        ways[f"bound {address}"] = partial(_send_bound, address, target, port)
        ways[f"raw {address}"] = partial(_send_raw, address, target, port)
        ways[f"frame {address}"] = partial(_send_frame, address, target, port)
    try:
        return any_of(ways, _REFUSED_ADDRESS | _SILENCE | {errno.EINVAL})
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.sendto(b"honest", (target, port))


def _send_bound(address: str, target: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
        made.bind((address, 0))
        made.sendto(f"spoofed bound {address}".encode(), (target, port))


def _send_raw(address: str, target: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as made:
        made.sendto(_datagram(address, target, port, f"spoofed raw {address}".encode()), (target, 0))


def _send_frame(address: str, target: str, port: int) -> None:
    """Past our own network stack, straight to whom we have last sent something by a link."""
    with open("/proc/net/arp") as file:
        neighbours = [line.split() for line in file][1:]
    if not neighbours:
        raise Refused("no neighbour")
    _unused, _unused, _unused, hardware, _unused, link = neighbours[0]
    destination = (link, _ETH_P_IP, 0, 1, bytes.fromhex(hardware.replace(":", "")))
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, _ETH_P_IP) as made:
        made.sendto(_datagram(address, target, port, f"spoofed frame {address}".encode()), destination)


@attack(never)
def sniff_traffic_of_others(facts: Facts) -> str:
    """Whatever goes over any link that we see, for a while, in which others talk."""
    end = time.monotonic() + facts["listen"]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as made:
        made.settimeout(0.05)
        heard = b""
        while time.monotonic() < end:
            with contextlib.suppress(socket.timeout):
                heard += made.recv(65536)
    if facts["secret"].encode() in heard:
        return "heard it"
    raise Refused(f"{len(heard)} bytes, nothing of others")


@attack(never, errno.EBADF, errno.EINVAL, errno.ENOENT)
def take_programs_off_the_group(facts: Facts) -> list[str]:
    """The programs that hold a jail on the host's stack to its addresses (bpf(2))."""
    group = os.open("/sys/fs/cgroup", os.O_RDONLY | os.O_DIRECTORY)
    query, detach, attach, next_id = 16, 9, 8, 11

    def bpf(command: int, *fields: int) -> None:
        attributes = struct.pack(f"={len(fields)}I", *fields).ljust(64, b"\0")
        syscall("bpf", command, attributes, len(attributes))

    return any_of(
        {
            "query": lambda: bpf(query, group, 8),
            "detach": lambda: bpf(detach, group, 0, 8),
            "attach": lambda: bpf(attach, group, 0, 8, 1),
            "enumerate": lambda: bpf(next_id, 0),
        },
        # Who may ask at all, without a filter, has no descriptor of a program to name (EINVAL), or finds none (ENOENT).
        _NO | {errno.EBADF, errno.EINVAL, errno.ENOENT},
    )


@attack(never, errno.ENOENT)
def end_connections_of_others(facts: Facts) -> None:
    """SOCK_DESTROY of sock_diag(7), for the service on the host's loopback."""
    loopback = socket.inet_aton("127.0.0.1").ljust(16, b"\0")
    request = struct.pack("=BBBxI", socket.AF_INET, 6, 0, 0xFFFFFFFF)
    request += struct.pack("!HH", facts["host_port"], 0) + loopback + bytes(16)
    request += struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as made:
        made.settimeout(2)
        made.send(struct.pack("=IHHII", 16 + len(request), 21, 0x05, 1, 0) + request)
        code = struct.unpack_from("=i", made.recv(4096), 16)[0]
    if code:
        raise OSError(-code, os.strerror(-code))
