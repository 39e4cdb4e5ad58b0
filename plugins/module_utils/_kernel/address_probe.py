# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Ask the stations on a wire whether one of them has an address already (RFC 5227; RFC 4862, section 5.4)."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Collection

from . import announcements
from .errors import KernelError
from .rtnetlink import Link

_EVERYTHING = 3  # ETH_P_ALL
_ETH_P_ARP, _ETH_P_IPV6 = b"\x08\x06", b"\x86\xdd"
_NEIGHBOUR_ADVERTISEMENT = 136
_LONGEST_FRAME = 256


def answering(link: Link, addresses: Collection[str], *, seconds: float) -> dict[str, str]:
    """MAC of the station that answers for each of the addresses (without prefix) that one answers for.

    Nobody has to have an address of the wire for that: an ARP probe names no sender, and a solicitation comes from the
    unspecified address. Waits as long as it is told to, or until all have been answered for.
    """
    waiting = {announcements.packed(address): address for address in addresses}
    found: dict[str, str] = {}
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(_EVERYTHING)) as raw:
            raw.bind((link.name, _EVERYTHING))
            for address in addresses:
                raw.send(announcements.question(link, address))
            deadline = time.monotonic() + seconds
            while len(found) < len(waiting) and select.select([raw], [], [], max(0.0, deadline - time.monotonic()))[0]:
                claimed, mac = _claim(raw.recv(_LONGEST_FRAME))
                if claimed in waiting and mac != link.mac:
                    found[waiting[claimed]] = mac
    except OSError as error:
        raise KernelError.from_os_error("ask for addresses on", link.name, error) from error
    return found


def _claim(frame: bytes) -> tuple[bytes, str]:
    """The address that a frame says its sender has, and the sender's MAC; empty for all other frames."""
    kind, sender = frame[12:14], frame[6:12].hex(":")
    if kind == _ETH_P_ARP:
        return frame[28:32], sender
    if kind == _ETH_P_IPV6 and frame[20:21] == struct.pack("!B", socket.IPPROTO_ICMPV6):
        return (frame[62:78] if frame[54:55] == struct.pack("!B", _NEIGHBOUR_ADVERTISEMENT) else b""), sender
    return b"", sender
