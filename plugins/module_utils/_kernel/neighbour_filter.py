# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The program that looks at every packet a jail sends to a wire that it shares with others (a bridge, a parent link).

On such a wire a jail could be more than a liar about its source (see ``source_filter``): a neighbour that answers for
somebody else's address, a router, a DHCP server. So what passes has the jail's own MAC and one of its addresses, ARP
and neighbour advertisements speak of these alone, and no router advertisement, redirect or DHCP answer leaves it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from socket import AF_INET, AF_INET6, htons, inet_pton

from .bpf_assembler import R0, R1, R6, Assembler, Label

# As in source_filter: another filter may come behind what passes (TC_ACT_UNSPEC).
_PASS, _DROP = -1, 2
_ETH_P_IP, _ETH_P_ARP, _ETH_P_IPV6 = 0x0800, 0x0806, 0x86DD
_SKB_PROTOCOL = 16
# Loads from here on count from the network header and from that of the link (SKF_NET_OFF, SKF_LL_OFF, linux/filter.h).
_NETWORK_HEADER, _LINK_HEADER = -0x100000, -0x200000
_LINK_SOURCE = 6
_IPV4_PROTOCOL, _IPV4_SOURCE, _IPV4_NEXT = 8, 12, 20
_ARP_SENDER_MAC, _ARP_SENDER = 8, 14
_IPV6_NEXT, _IPV6_SOURCE, _IPV6_PAYLOAD, _ICMPV6_TARGET = 4, 8, 40, 48
_UDP, _DHCP_SERVER = 17, 67
_HOP_BY_HOP, _ROUTING, _ICMPV6, _DESTINATION_OPTIONS = 0, 43, 58, 60
_ROUTER_ADVERTISEMENT, _NEIGHBOUR_ADVERTISEMENT, _REDIRECT = 134, 136, 137
_LISTENER_REPORTS = (131, 132, 143)


def program(addresses: Sequence[str], *, mac: str) -> bytes:
    """Instructions (eBPF, type SCHED_CLS) that let pass what a jail with these addresses and this MAC may say.

    A packet too short to be looked at passes, as nobody takes it for anything.
    """
    return _Program(addresses, mac).code()


def link_local(mac: str) -> str:
    """The link-local address that the kernel gives a link with this MAC (RFC 4291, appendix A), as 16 bytes in hex."""
    octets = bytes.fromhex(mac.replace(":", ""))
    return (b"\xfe\x80" + bytes(6) + bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]).hex()


class _Program:
    def __init__(self, addresses: Sequence[str], mac: str) -> None:
        self._mac = bytes.fromhex(mac.replace(":", ""))
        self._ipv4 = [inet_pton(AF_INET, address) for address in addresses if ":" not in address]
        self._ipv6 = [inet_pton(AF_INET6, address) for address in addresses if ":" in address]
        if self._ipv6:
            self._ipv6.append(bytes.fromhex(link_local(mac)))
        self._assembler = Assembler()
        self._pass, self._drop = Label(), Label()

    def code(self) -> bytes:
        program, arp, ipv6 = self._assembler, Label(), Label()
        program.copy(R6, R1)
        self._expect_mac(_LINK_HEADER + _LINK_SOURCE)
        program.load_word(R0, R6, _SKB_PROTOCOL)
        program.jump_if_equal(R0, htons(_ETH_P_ARP), arp)
        program.jump_if_equal(R0, htons(_ETH_P_IPV6), ipv6)
        program.jump_if_other(R0, htons(_ETH_P_IP), self._drop)
        self._check_ipv4()
        program.place(arp)
        self._expect_mac(_NETWORK_HEADER + _ARP_SENDER_MAC)
        self._expect_any(_ARP_SENDER, self._ipv4)
        program.jump(self._pass)
        program.place(ipv6)
        self._check_ipv6()
        for label, verdict in ((self._pass, _PASS), (self._drop, _DROP)):
            program.place(label)
            program.move(R0, verdict)
            program.exit()
        return program.code()

    def _check_ipv4(self) -> None:
        """No DHCP answers; a UDP packet with IP options could hide its port from us."""
        program, other = self._assembler, Label()
        self._expect_any(_IPV4_SOURCE, self._ipv4)
        self._load(_IPV4_PROTOCOL, mask=0x00FF0000)
        program.jump_if_other(R0, _UDP << 16, other)
        self._load(0, mask=0xFF000000)
        program.jump_if_other(R0, 0x45000000, self._drop)
        self._load(_IPV4_NEXT, mask=0xFFFF0000)
        program.jump_if_equal(R0, _DHCP_SERVER << 16, self._drop)
        program.place(other)
        program.jump(self._pass)

    def _check_ipv6(self) -> None:
        """Extension headers could hide a message of neighbour discovery; of these only what multicast needs passes."""
        program, message, hops = self._assembler, Label(), Label()
        self._expect_any(_IPV6_SOURCE, self._ipv6)
        self._load(_IPV6_NEXT, mask=0x0000FF00)
        program.jump_if_equal(R0, _ICMPV6 << 8, message)
        program.jump_if_equal(R0, _HOP_BY_HOP << 8, hops)
        for refused in (_ROUTING, _DESTINATION_OPTIONS):
            program.jump_if_equal(R0, refused << 8, self._drop)
        program.jump(self._pass)
        program.place(hops)
        self._load(_IPV6_PAYLOAD, mask=0xFFFF0000)
        program.jump_if_other(R0, _ICMPV6 << 24, self._drop)
        self._load(_IPV6_PAYLOAD + 8, mask=0xFF000000)
        for report in _LISTENER_REPORTS:
            program.jump_if_equal(R0, report << 24, self._pass)
        program.jump(self._drop)
        program.place(message)
        self._load(_IPV6_PAYLOAD, mask=0xFF000000)
        for refused in (_ROUTER_ADVERTISEMENT, _REDIRECT):
            program.jump_if_equal(R0, refused << 24, self._drop)
        program.jump_if_other(R0, _NEIGHBOUR_ADVERTISEMENT << 24, self._pass)
        self._expect_any(_ICMPV6_TARGET, self._ipv6)
        program.jump(self._pass)

    def _expect_mac(self, offset: int) -> None:
        """Go on if the jail's MAC is there; its six bytes are looked at as two words that overlap."""
        for position in (0, 2):
            self._assembler.load_packet(offset + position)
            (word,) = struct.unpack_from("!I", self._mac, position)
            self._assembler.jump_if_other(R0, word, self._drop)

    def _expect_any(self, offset: int, accepted: Sequence[bytes]) -> None:
        """Go on if one of these addresses is there, else drop."""
        found = Label()
        for address in accepted:
            other = Label()
            for position in range(0, len(address), 4):
                self._assembler.load_packet(_NETWORK_HEADER + offset + position)
                (word,) = struct.unpack_from("!I", address, position)
                self._assembler.jump_if_other(R0, word, other)
            self._assembler.jump(found)
            self._assembler.place(other)
        self._assembler.jump(self._drop)
        self._assembler.place(found)

    def _load(self, offset: int, *, mask: int) -> None:
        self._assembler.load_packet(_NETWORK_HEADER + offset)
        self._assembler.keep_bits(R0, mask)
