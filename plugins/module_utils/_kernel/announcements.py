# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Tell the neighbours on a link that an address is here now, so that none waits for its old entry to grow stale.

The kernel does that for a link that comes up (arp_notify, ndisc_notify), not for an address that is added to it.
"""

from __future__ import annotations

import socket
import struct

from .errors import KernelError
from .rtnetlink import Link

_ETH_P_IP, _ETH_P_ARP, _ETH_P_IPV6 = 0x0800, 0x0806, 0x86DD
_BROADCAST, _ALL_NODES_MAC = b"\xff" * 6, b"\x33\x33\0\0\0\x01"
_ALL_NODES = "ff02::1"
_REQUEST = 1
_NEIGHBOUR_SOLICITATION, _NEIGHBOUR_ADVERTISEMENT = 135, 136
_OVERRIDE, _TARGET_LINK_ADDRESS = 0x20000000, 2


def announce(link: Link, address: str) -> None:
    """Send one gratuitous ARP request or one unsolicited neighbour advertisement for an address (without prefix).

    RFC 5227, section 3; RFC 4861, section 7.2.6. Nothing is sent through a link without MAC addresses, or one that is
    down.
    """
    mac = bytes.fromhex(link.mac.replace(":", ""))
    if len(mac) != len(_BROADCAST) or not any(mac) or not link.up:
        return
    frame = _advertisement(mac, address) if ":" in address else _arp_request(mac, packed(address), packed(address))
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC) as raw:
            raw.sendto(frame, (link.name, 0))
    except OSError as error:
        raise KernelError.from_os_error("announce", f"{address} on {link.name}", error) from error


def packed(address: str) -> bytes:
    """An address (without prefix) as it is on the wire."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def question(link: Link, address: str) -> bytes:
    """The frame that asks whether a station has an address: an ARP probe, or a neighbour solicitation from nobody."""
    mac, ip = bytes.fromhex(link.mac.replace(":", "")), packed(address)
    if ":" not in address:
        return _arp_request(mac, bytes(len(ip)), ip)
    # The solicited-node multicast address ends like the address itself (RFC 4291, section 2.7.1).
    group = packed("ff02::1:ff00:0")[:13] + ip[13:]
    body = struct.pack("!BBHI", _NEIGHBOUR_SOLICITATION, 0, 0, 0) + ip
    return _message(mac, b"\x33\x33" + group[12:], bytes(16), group, body)


def _arp_request(mac: bytes, sender: bytes, ip: bytes) -> bytes:
    header = struct.pack("!HHBBH", 1, _ETH_P_IP, len(mac), len(ip), _REQUEST)
    return _BROADCAST + mac + struct.pack("!H", _ETH_P_ARP) + header + mac + sender + bytes(6) + ip


def _advertisement(mac: bytes, address: str) -> bytes:
    source, target = packed(address), packed(_ALL_NODES)
    option = struct.pack("!BB", _TARGET_LINK_ADDRESS, 1) + mac
    body = struct.pack("!BBHI", _NEIGHBOUR_ADVERTISEMENT, 0, 0, _OVERRIDE) + source + option
    return _message(mac, _ALL_NODES_MAC, source, target, body)


def _message(mac: bytes, to: bytes, source: bytes, target: bytes, body: bytes) -> bytes:
    pseudo = source + target + struct.pack("!II", len(body), socket.IPPROTO_ICMPV6)
    checked = body[:2] + struct.pack("!H", _checksum(pseudo + body)) + body[4:]
    # 255 hops: what comes from farther away is not believed (RFC 4861, section 7.1.2).
    header = struct.pack("!IHBB", 6 << 28, len(checked), socket.IPPROTO_ICMPV6, 255) + source + target
    return to + mac + struct.pack("!H", _ETH_P_IPV6) + header + checked


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
