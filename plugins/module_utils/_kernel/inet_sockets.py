# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

from .netlink import DUMP, Netlink, unpack

_SOCK_DIAG_BY_FAMILY = 20
_NETLINK_SOCK_DIAG = 4
_LISTEN, _CLOSE = 10, 7
_V6ONLY = 11
# struct inet_diag_req_v2: family, protocol, extensions, states, and a struct inet_diag_sockid that is not looked at.
_REQUEST = struct.Struct("=BBBxI48x")
# struct inet_diag_msg: family, state, ports in network byte order, source, and at the end uid and inode.
_MESSAGE = struct.Struct("=BBxxHH16s16s4x8x12xII")


class Listener(NamedTuple):
    """A socket that takes what comes to any address of its families at its port.

    ``protocol`` is tcp or udp. ``inode`` names it in /proc/PID/fd.
    """

    protocol: str
    families: tuple[int, ...]
    port: int
    inode: int


def wildcard_listeners() -> list[Listener]:
    """TCP and UDP sockets of this network namespace that are bound to no address, as sock_diag(7) knows them."""
    found: list[Listener] = []
    for protocol, number, state in (("tcp", socket.IPPROTO_TCP, _LISTEN), ("udp", socket.IPPROTO_UDP, _CLOSE)):
        for family in (socket.AF_INET, socket.AF_INET6):
            found += _dump(protocol, number, state, family)
    return found


def _dump(protocol: str, number: int, state: int, family: int) -> Iterator[Listener]:
    request = _REQUEST.pack(family, number, 0, 1 << state)
    channel = Netlink(_NETLINK_SOCK_DIAG, "sock_diag")
    try:
        bodies = channel.ask(_SOCK_DIAG_BY_FAMILY, DUMP, request, _SOCK_DIAG_BY_FAMILY, f"{protocol} sockets")
    finally:
        channel.close()
    for body in bodies:
        _unused, _unused, port, _unused, source, _unused, _unused, inode = _MESSAGE.unpack_from(body)
        if any(source):
            continue
        families: tuple[int, ...] = (family,)
        if family == socket.AF_INET6 and not any(unpack(body[_MESSAGE.size :]).get(_V6ONLY, b"")):
            families = (socket.AF_INET, socket.AF_INET6)
        yield Listener(protocol, families, port if sys.byteorder == "big" else socket.ntohs(port), inode)
