# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Who listens on which ports, as sock_diag(7) says it: without a look at the connections, however many there are."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from .errors import KernelError

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST, _NLM_F_DUMP = 0x01, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
# Family, protocol, extensions, states, and an inet_diag_sockid that matches every socket (linux/inet_diag.h).
_REQUEST = struct.Struct("=BBBxI48x")
# Family, state, ports, source, destination, interface, cookie, expiry, queues, uid, inode.
_SOCKET = struct.Struct("=BBxx2s2x16s16xI8x12xII")
_INET_DIAG_SKV6ONLY = 11
_ATTRIBUTE = struct.Struct("=HH")
# States of enum tcp_state in which a socket takes what comes: TCP_LISTEN, and TCP_CLOSE of UDP that is not connected.
_KINDS = {"tcp": (socket.IPPROTO_TCP, 1 << 10), "udp": (socket.IPPROTO_UDP, 1 << 7)}
_RECEIVE_BYTES = 1 << 16
_TIMEOUT_SECONDS = 10
_MAPPED = "::ffff:"


class Listener(NamedTuple):
    """A socket that takes what comes for a port, on ``address`` or on all of a wildcard's.

    ``families`` are those of the addresses that it takes: a socket of IPv6 may take IPv4 too.
    """

    protocol: str
    address: str
    port: int
    families: tuple[int, ...]
    inode: int


def listeners(protocol: str) -> list[Listener]:
    """The listeners of ``tcp`` or ``udp`` in the network namespace that we are in; none where the kernel cannot say."""
    found: list[Listener] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as asking:
            asking.settimeout(_TIMEOUT_SECONDS)
            for family in (socket.AF_INET, socket.AF_INET6):
                found += _ask(asking, family, protocol)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EPROTONOSUPPORT, errno.EINVAL):
            raise KernelError.from_os_error("read", f"{protocol} listeners", error) from error
    return found


def owner(listener: Listener) -> str:
    """``NAME (pid N)`` of a process that holds a socket, empty where none is found."""
    wanted = f"socket:[{listener.inode}]"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for number in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{number}") == wanted:
                    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                        return f"{file.read().strip()} (pid {pid})"
    return ""


def _ask(asking: socket.socket, family: int, protocol: str) -> Iterator[Listener]:
    number, states = _KINDS[protocol]
    body = _REQUEST.pack(family, number, 0, states)
    header = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST | _NLM_F_DUMP, family, 0)
    asking.send(header + body)
    while True:
        data = asking.recv(_RECEIVE_BYTES)
        offset = 0
        while offset + _HEADER.size <= len(data):
            length, kind, _unused, _unused, _unused = _HEADER.unpack_from(data, offset)
            message = data[offset + _HEADER.size : offset + length]
            if kind in (_NLMSG_ERROR, _NLMSG_DONE):
                code = struct.unpack_from("=i", message)[0] if len(message) >= 4 else 0
                if code:
                    raise OSError(-code, os.strerror(-code))
                return
            yield _parse(message, protocol)
            offset += (length + 3) & ~3


def _parse(message: bytes, protocol: str) -> Listener:
    family, _unused, port, source, _unused, _unused, inode = _SOCKET.unpack_from(message)
    number = int.from_bytes(port, "big")
    if family == socket.AF_INET:
        return Listener(protocol, socket.inet_ntop(socket.AF_INET, source[:4]), number, (4,), inode)
    address = socket.inet_ntop(socket.AF_INET6, source)
    if address.startswith(_MAPPED):
        return Listener(protocol, address[len(_MAPPED) :], number, (4,), inode)
    both = address == "::" and not _is_ipv6_only(message[_SOCKET.size :])
    return Listener(protocol, address, number, (4, 6) if both else (6,), inode)


def _is_ipv6_only(attributes: bytes) -> bool:
    offset = 0
    while offset + _ATTRIBUTE.size < len(attributes):
        length, kind = _ATTRIBUTE.unpack_from(attributes, offset)
        if kind == _INET_DIAG_SKV6ONLY:
            return bool(attributes[offset + _ATTRIBUTE.size])
        offset += max(_ATTRIBUTE.size, (length + 3) & ~3)
    return False
