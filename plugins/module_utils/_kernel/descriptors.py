# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Descriptors handed from one process to another (SCM_RIGHTS, unix(7)).

The module socket is imported by those who need it: it takes longer to load than an entry into a jail takes otherwise.
"""

from __future__ import annotations

import os
import struct

_MARK = b"d"


def channel() -> tuple[int, int]:
    """Two connected descriptors that keep the borders of messages."""
    import socket

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return ours.detach(), theirs.detach()


def send(fd: int, given: int) -> None:
    """Send a descriptor over one end of a channel, which stays open."""
    import socket

    with socket.socket(fileno=os.dup(fd)) as sender:
        sender.sendmsg([_MARK], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", given))])


def receive(fd: int) -> int | None:
    """The descriptor that comes next over a channel; None when its other end is closed, or says something else.

    What is said instead stays there to be read: a read that is shorter than a message loses the rest of it (unix(7)).
    """
    import socket

    with socket.socket(fileno=os.dup(fd)) as receiver:
        if receiver.recv(1, socket.MSG_PEEK) != _MARK:
            return None
        ancillary = receiver.recvmsg(1, socket.CMSG_LEN(4))[1]
    return int(struct.unpack("i", ancillary[0][2])[0]) if ancillary else None
