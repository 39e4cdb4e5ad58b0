# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""End open connections from outside of the programs that have them (sock_diag(7), SOCK_DESTROY; Linux 4.5, 4.9).

Both ends hear of it at once: who has the socket by ECONNABORTED, the other one by a reset.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Collection

from . import group_trees
from .errors import KernelError
from .netlink import DUMP, Netlink, unpack

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY, _SOCK_DESTROY = 20, 21
_ACKNOWLEDGE = 0x04
_CGROUP_ID = 21  # INET_DIAG_CGROUP_ID, Linux 5.8
_ESTABLISHED, _CLOSE, _LISTEN, _LAST = 1, 7, 10, 12
# Listeners stay, and datagram sockets that take what comes from anybody: ending them would end servers.
_STATES = {
    socket.IPPROTO_TCP: sum(1 << state for state in range(_ESTABLISHED, _LAST + 1) if state not in (_CLOSE, _LISTEN)),
    socket.IPPROTO_UDP: 1 << _ESTABLISHED,
}
_REQUEST = struct.Struct("=BBBxI48s")
# Of struct inet_diag_msg: family, state, and the identity of the socket, in which the local address is.
_IDENTITY = slice(4, 52)
_MESSAGE_BYTES = 72
_MAPPED = bytes(10) + b"\xff\xff"
_GONE = (errno.ENOENT, errno.ESTALE)


def groups_below(directory: str) -> set[int]:
    """Ids of a control group and of all below it, as sockets bear them."""
    return {os.fstat(fd).st_ino for fd in group_trees.walk(directory)}


def is_available() -> bool:
    """Whether this kernel ends connections for others (CONFIG_INET_DIAG_DESTROY)."""
    try:
        with contextlib.closing(Netlink(_NETLINK_SOCK_DIAG, "sock_diag")) as channel:
            # Without sock_diag for these sockets this fails with the very errno by which the next one succeeds.
            _dump(channel, socket.AF_INET, socket.IPPROTO_TCP, 0)
            _destroy_if_there(channel, socket.AF_INET, socket.IPPROTO_TCP, bytes(48))
    except KernelError:
        return False
    return True


def end_others(groups: Collection[int], addresses: Collection[str]) -> int:
    """End what programs of control groups have open from local addresses that are none of these; how many those were.

    KernelError EOPNOTSUPP where the kernel cannot, and there is something to be ended.
    """
    kept = {_packed(address) for address in addresses}
    ended = 0
    with contextlib.closing(Netlink(_NETLINK_SOCK_DIAG, "sock_diag")) as channel:
        for family in (socket.AF_INET, socket.AF_INET6):
            for protocol, states in _STATES.items():
                for identity in _open_in(channel, family, protocol, states, groups):
                    local = _local(family, identity)
                    if any(local) and local not in kept:
                        ended += _destroy_if_there(channel, family, protocol, identity)
    return ended


def _open_in(channel: Netlink, family: int, protocol: int, states: int, groups: Collection[int]) -> list[bytes]:
    try:
        bodies = _dump(channel, family, protocol, states)
    except KernelError as error:
        if error.errno == errno.ENOENT:  # a kernel without that family or protocol
            return []
        raise
    return [body[_IDENTITY] for body in bodies if _group_of(body) in groups]


def _dump(channel: Netlink, family: int, protocol: int, states: int) -> list[bytes]:
    request = _REQUEST.pack(family, protocol, 0, states, bytes(48))
    return channel.ask(_SOCK_DIAG_BY_FAMILY, DUMP, request, _SOCK_DIAG_BY_FAMILY, "sockets")


def _group_of(body: bytes) -> int:
    value = unpack(body[_MESSAGE_BYTES:]).get(_CGROUP_ID)
    return struct.unpack("=Q", value)[0] if value else 0


def _local(family: int, identity: bytes) -> bytes:
    """The local address of a socket, IPv4 by four bytes whatever the socket's family."""
    address = identity[4:20]
    if family == socket.AF_INET:
        return address[:4]
    return address[12:] if address[:12] == _MAPPED else address


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _destroy_if_there(channel: Netlink, family: int, protocol: int, identity: bytes) -> int:
    try:
        _destroy(channel, family, protocol, identity)
    except KernelError as error:
        if error.errno not in _GONE:
            raise
        return 0
    return 1


def _destroy(channel: Netlink, family: int, protocol: int, identity: bytes) -> None:
    request = _REQUEST.pack(family, protocol, 0, 0xFFFFFFFF, identity)
    channel.ask(_SOCK_DESTROY, _ACKNOWLEDGE, request, 0, "end of a connection")
