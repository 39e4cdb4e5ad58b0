# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attacks on the host's network and on other jails' traffic."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import subprocess
import time

from attack import Facts, Refused, any_of, attack
from syscalls import syscall

_AF_VSOCK, _AF_ALG, _AF_XDP, _AF_KEY, _NETLINK_AUDIT = 40, 38, 44, 15, 9
_USUAL_FAMILIES = frozenset({1, 2, 10, 16})
_NO = frozenset({errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT})
_SO_BINDTODEVICE, _SO_MARK, _SO_RCVBUFFORCE, _IP_TRANSPARENT, _SO_DEBUG = 25, 36, 33, 19, 1
_SILENCE = frozenset({errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.EADDRNOTAVAIL})


def _open(family: int, kind: int, protocol: int = 0) -> None:
    socket.socket(family, kind, protocol).close()


@attack()
def open_a_packet_socket(facts: Facts) -> None:
    _open(socket.AF_PACKET, socket.SOCK_RAW, 0x300)


@attack()
def open_raw_sockets(facts: Facts) -> list[str]:
    return any_of(
        {
            "IPv4": lambda: _open(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
            "IPv4 with header": lambda: _open(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
            "IPv6": lambda: _open(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
        },
        _NO,
    )


@attack()
def reach_the_hypervisor(facts: Facts) -> None:
    """AF_VSOCK has no namespaces; only made here, connected to nobody."""
    _open(_AF_VSOCK, socket.SOCK_STREAM)


@attack()
def use_exotic_families(facts: Facts) -> list[str]:
    """Each family is a piece of kernel, and most are a module that is loaded for whoever asks."""
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW)
    found = []
    for family in set(range(1, 47)) - _USUAL_FAMILIES:
        for kind in kinds:
            try:
                _open(family, kind)
                found.append(f"{family}/{kind}")
            except OSError as error:
                if error.errno not in _NO | {errno.EINVAL, errno.ENOSYS, errno.ENODEV}:
                    raise
    if not found:
        raise Refused("none but unix, inet, inet6, netlink")
    return found


@attack()
def use_exotic_protocols(facts: Facts) -> list[str]:
    """SCTP, DCCP, L2TP and the kernel's audit: modules, or without a namespace."""
    attempts = {
        "sctp": lambda: _open(socket.AF_INET, socket.SOCK_STREAM, 132),
        "dccp": lambda: _open(socket.AF_INET, 6, 33),
        "l2tp": lambda: _open(socket.AF_INET, socket.SOCK_DGRAM, 115),
        "audit": lambda: _open(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_AUDIT),
    }
    return any_of(attempts, _NO)


@attack()
def set_privileged_options(facts: Facts) -> list[str]:
    def setting(level: int, option: int, value: bytes | int):
        def attempt() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
                made.setsockopt(level, option, value)

        return attempt

    return any_of(
        {
            "SO_MARK": setting(socket.SOL_SOCKET, _SO_MARK, 1),
            "SO_RCVBUFFORCE": setting(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 20),
            "SO_DEBUG": setting(socket.SOL_SOCKET, _SO_DEBUG, 1),
            "IP_TRANSPARENT": setting(socket.IPPROTO_IP, _IP_TRANSPARENT, 1),
        },
        _NO,
    )


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    if "not permitted" in done.stderr or "denied" in done.stderr:
        raise PermissionError(errno.EPERM, done.stderr.strip())
    if "Unknown device type" in done.stderr or "not supported" in done.stderr:
        raise Refused(done.stderr.strip())
    raise OSError(errno.EINVAL, done.stderr.strip())


@attack()
def change_addresses(facts: Facts) -> list[str]:
    return any_of(
        {
            "add": lambda: _ip("address", "add", "192.0.2.77/32", "dev", "lo"),
            "add IPv6": lambda: _ip("address", "add", "2001:db8::77/128", "dev", "lo"),
        }
    )


@attack()
def change_routes(facts: Facts) -> list[str]:
    return any_of(
        {
            "blackhole": lambda: _ip("route", "add", "blackhole", "192.0.2.0/24"),
            "rule": lambda: _ip("rule", "add", "from", "192.0.2.0/24", "lookup", "main"),
        }
    )


@attack()
def change_links(facts: Facts) -> list[str]:
    def add_and_remove() -> None:
        _ip("link", "add", "escape0", "type", "bridge")
        _ip("link", "del", "escape0")

    def down_and_up() -> None:
        _ip("link", "set", "lo", "down")
        _ip("link", "set", "lo", "up")

    return any_of({"add": add_and_remove, "down": down_and_up})


@attack()
def list_links_of_the_host(facts: Facts) -> list[str]:
    seen = [name for _unused, name in socket.if_nameindex() if name in facts["host_links"]]
    if not seen:
        raise Refused(" ".join(name for _unused, name in socket.if_nameindex()))
    return seen


@attack(*_SILENCE)
def connect_to_loopback_of_the_host(facts: Facts) -> list[str]:
    """A service that listens on the host's loopback addresses."""

    def connect(family: int, address: str) -> None:
        with socket.socket(family, socket.SOCK_STREAM) as made:
            made.settimeout(1)
            made.connect((address, facts["host_port"]))

    addresses = {"127.0.0.1": 2, "127.0.0.2": 2, "0.0.0.0": 2, "::1": 10, "::ffff:127.0.0.1": 10}
    return any_of(
        {address: lambda f=family, a=address: connect(f, a) for address, family in addresses.items()}, _NO | _SILENCE
    )


@attack(errno.ECONNREFUSED)
def connect_to_abstract_sockets(facts: Facts) -> list[str]:
    """They have no path, and belong to whoever shares the network namespace (CVE-2020-15257)."""

    def connect(name: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
            made.connect(f"\0{name}")

    names = [stranger["abstract"] for stranger in facts["strangers"]]
    return any_of({name: lambda name=name: connect(name) for name in names}, frozenset({errno.ECONNREFUSED}))


@attack()
def see_sockets_of_others(facts: Facts) -> list[str]:
    found = []
    for table in ("tcp", "tcp6", "udp", "unix"):
        with open(f"/proc/net/{table}") as file:
            text = file.read()
        found += [table for stranger in facts["strangers"] if stranger["abstract"] in text]
        if f":{facts['host_port']:04X} " in text:
            found.append(table)
    if not found:
        raise Refused("only our own")
    return found


@attack(*_SILENCE)
def bind_addresses_of_others(facts: Facts) -> list[str]:
    def bind(address: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
            made.bind((address, 0))

    return any_of(
        {address: lambda address=address: bind(address) for address in facts["foreign_addresses"]},
        frozenset({errno.EADDRNOTAVAIL, errno.EPERM, errno.EACCES}),
    )


def _ip_does(*words: str) -> bool:
    return subprocess.run(["ip", *words], capture_output=True, check=False).returncode == 0


@attack()
def send_from_addresses_of_others(facts: Facts) -> str:
    """Send datagrams with source addresses that are not ours, by every way that we have; the receiver judges."""
    target, port = facts["receiver"]
    ways = []
    for address in facts["spoofed"]:
        if not _ip_does("address", "add", f"{address}/32", "dev", "eth0"):
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.bind((address, 0))
            made.sendto(f"spoofed {address}".encode(), (target, port))
            ways.append(f"address {address}")
        _ip_does("address", "del", f"{address}/32", "dev", "eth0")
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as made:
                made.sendto(_datagram(address, target, port, f"spoofed raw {address}".encode()), (target, 0))
                ways.append(f"raw {address}")
        except OSError:
            continue
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendto(b"honest", (target, port))
    if not ways:
        raise Refused("none could be sent")
    return " ".join(ways)


def _datagram(source: str, target: str, port: int, data: bytes) -> bytes:
    length = 8 + len(data)
    header = bytes([0x45, 0]) + (20 + length).to_bytes(2, "big") + bytes([0, 0, 0, 0, 64, 17, 0, 0])
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    return (
        header
        + addresses
        + (999).to_bytes(2, "big")
        + port.to_bytes(2, "big")
        + length.to_bytes(2, "big")
        + b"\0\0"
        + data
    )


@attack()
def sniff_traffic_of_others(facts: Facts) -> str:
    """Whatever goes over any link that we see, for a while, in which others talk."""
    end = time.monotonic() + facts["listen"]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as made:
        made.settimeout(0.1)
        heard = b""
        while time.monotonic() < end:
            with contextlib.suppress(socket.timeout):
                heard += made.recv(65536)
    if facts["secret"].encode() in heard:
        return "heard it"
    raise Refused(f"{len(heard)} bytes, nothing of others")


@attack(errno.EBADF, errno.EINVAL, errno.ENOENT)
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


@attack(errno.ENOENT)
def end_connections_of_others(facts: Facts) -> None:
    """SOCK_DESTROY of sock_diag(7), for the service on the host's loopback."""
    port = facts["host_port"]
    loopback = socket.inet_aton("127.0.0.1").ljust(16, b"\0")
    request = struct.pack("=BBBxI", socket.AF_INET, 6, 0, 0xFFFFFFFF)
    request += struct.pack("!HH", port, 0) + loopback + bytes(16) + struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as made:
        made.send(struct.pack("=IHHII", 16 + len(request), 21, 0x05, 1, 0) + request)
        code = struct.unpack_from("=i", made.recv(4096), 16)[0]
    if code:
        raise OSError(-code, os.strerror(-code))


@attack()
def write_network_settings(facts: Facts) -> str:
    path = "/proc/sys/net/ipv4/ip_default_ttl"
    with open(path, "w") as file:
        file.write("65")
    return os.uname().nodename
