# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Collection, Iterator
from typing import NamedTuple

from . import sysctls
from .netlink import DUMP, Netlink, unpack
from .process_table import name_of

_SOCK_DIAG_BY_FAMILY = 20
_NETLINK_SOCK_DIAG = 4
_LISTEN, _CLOSE = 10, 7
_V6ONLY = 11
_KINDS = {"tcp": (socket.IPPROTO_TCP, _LISTEN), "udp": (socket.IPPROTO_UDP, _CLOSE)}
# struct inet_diag_req_v2: family, protocol, extensions, states, and a struct inet_diag_sockid that is not looked at.
_REQUEST = struct.Struct("=BBBxI48x")
# struct inet_diag_msg: family, state, ports in network byte order, source, and at the end uid and inode.
_MESSAGE = struct.Struct("=BBxxHH16s16s4x8x12xII")
_MAPPED = "::ffff:"


class Listener(NamedTuple):
    """A socket that takes what comes to its port, at its address or at any of its families.

    ``protocol`` is tcp or udp, ``address`` empty for any. ``inode`` names it in /proc/PID/fd, 0 if it is the kernel's.
    """

    protocol: str
    families: tuple[int, ...]
    address: str
    port: int
    inode: int


class Owner(NamedTuple):
    """A process that has a socket."""

    pid: int
    name: str


def listeners(*, protocols: Collection[str] = ("tcp", "udp")) -> list[Listener]:
    """TCP and UDP sockets of this network namespace that wait for whoever comes, as sock_diag(7) knows them.

    Not among them are UDP sockets with a port that the kernel lends to clients, which wait for an answer.
    KernelError ENOENT: a kernel without sock_diag.
    """
    lowest, highest = map(int, (sysctls.read("net/ipv4/ip_local_port_range") or "32768 60999").split())
    found: list[Listener] = []
    for protocol in protocols:
        for family in (socket.AF_INET, socket.AF_INET6):
            found += _dump(protocol, family)
    return [one for one in found if one.protocol == "tcp" or not lowest <= one.port <= highest]


def _dump(protocol: str, family: int) -> Iterator[Listener]:
    number, state = _KINDS[protocol]
    channel = Netlink(_NETLINK_SOCK_DIAG, "sock_diag")
    try:
        request = _REQUEST.pack(family, number, 0, 1 << state)
        bodies = channel.ask(_SOCK_DIAG_BY_FAMILY, DUMP, request, _SOCK_DIAG_BY_FAMILY, f"{protocol} sockets")
    finally:
        channel.close()
    for body in bodies:
        _unused, _unused, port, _unused, source, _unused, _unused, inode = _MESSAGE.unpack_from(body)
        address = socket.inet_ntop(family, source[: 4 if family == socket.AF_INET else 16]) if any(source) else ""
        families: tuple[int, ...] = (family,)
        if address.startswith(_MAPPED):
            address, families = address[len(_MAPPED) :], (socket.AF_INET,)
        elif family == socket.AF_INET6 and not address and not _is_ipv6_only(body):
            families = (socket.AF_INET, socket.AF_INET6)
        yield Listener(protocol, families, address, port if sys.byteorder == "big" else socket.ntohs(port), inode)


def _is_ipv6_only(body: bytes) -> bool:
    return any(unpack(body[_MESSAGE.size :]).get(_V6ONLY, b""))


def owners(inodes: Collection[int]) -> dict[int, list[Owner]]:
    """The processes that have sockets, by the sockets' inodes; one look at all processes for all of them."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, list[Owner]] = {}
    for pid in filter(str.isdigit, os.listdir("/proc") if wanted else ()):
        for inode in {wanted[target] for target in _targets(pid) if target in wanted}:
            found.setdefault(inode, []).append(Owner(int(pid), name_of(int(pid))))
    return found


def _targets(pid: str) -> Iterator[str]:
    """What the descriptors of a process lead to; nothing more once it has ended."""
    with contextlib.suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            yield os.readlink(f"/proc/{pid}/fd/{number}")
