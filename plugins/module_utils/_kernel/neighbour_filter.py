# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The program that looks at every packet a jail sends to a wire that it shares with others (a bridge, a parent link).

On such a wire a jail could be more than a liar about its source (see ``source_filter``): a neighbour that answers for
somebody else's address, a router, a DHCP server. So what passes has the jail's own MAC and one of its addresses, ARP
and neighbour advertisements speak of these alone, and no router advertisement, redirect or DHCP answer leaves it. Nor
does anything else that routers alone have to say: a bridge sends all multicasts to whoever asks for members of groups.
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
_IPV6_NEXT, _IPV6_SOURCE, _IPV6_PAYLOAD, _ICMPV6_TARGET = 4, 8, 40, 8
_IGMP, _UDP, _DHCP_SERVER, _DHCPV6_SERVER = 2, 17, 67, 547
# EIGRP, OSPF, PIM, VRRP.
_OF_ROUTERS = (88, 89, 103, 112)
_MEMBERSHIP_REPORTS = (0x12, 0x16, 0x17, 0x22)
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _ICMPV6, _DESTINATION_OPTIONS = 0, 43, 44, 58, 60
_FRAGMENT_BYTES = 8
_NEIGHBOUR_ADVERTISEMENT = 136
# Queries for listeners, router advertisements, redirects, renumbering, and multicast routers that look for each other.
_MESSAGES_OF_ROUTERS = (130, 134, 137, 138, 151, 152, 153)
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
        program, reports = self._assembler, Label()
        self._expect_any(_IPV4_SOURCE, self._ipv4)
        self._load(_IPV4_PROTOCOL, mask=0x00FF0000)
        program.jump_if_equal(R0, _IGMP << 16, reports)
        for refused in _OF_ROUTERS:
            program.jump_if_equal(R0, refused << 16, self._drop)
        program.jump_if_other(R0, _UDP << 16, self._pass)
        self._load(0, mask=0xFF000000)
        program.jump_if_other(R0, 0x45000000, self._drop)
        self._check_udp(_IPV4_NEXT, _DHCP_SERVER)
        program.place(reports)
        self._check_igmp()

    def _check_igmp(self) -> None:
        """Reports alone, with the one option that they have (router alert) or without."""
        program, with_option = self._assembler, Label()
        self._load(0, mask=0xFF000000)
        program.jump_if_equal(R0, 0x46000000, with_option)
        program.jump_if_other(R0, 0x45000000, self._drop)
        for offset in (_IPV4_NEXT, _IPV4_NEXT + 4):
            self._load(offset, mask=0xFF000000)
            for report in _MEMBERSHIP_REPORTS:
                program.jump_if_equal(R0, report << 24, self._pass)
            program.jump(self._drop)
            if offset == _IPV4_NEXT:
                program.place(with_option)

    def _check_udp(self, offset: int, refused: int) -> None:
        self._load(offset, mask=0xFFFF0000)
        self._assembler.jump_if_equal(R0, refused << 16, self._drop)
        self._assembler.jump(self._pass)

    def _check_ipv6(self) -> None:
        """Extension headers could hide a message of neighbour discovery; of these only what multicast needs passes."""
        program, hops, fragment = self._assembler, Label(), Label()
        self._expect_any(_IPV6_SOURCE, self._ipv6)
        self._load(_IPV6_NEXT, mask=0x0000FF00)
        program.jump_if_equal(R0, _HOP_BY_HOP << 8, hops)
        program.jump_if_equal(R0, _FRAGMENT << 8, fragment)
        self._check_next(8, _IPV6_PAYLOAD)
        program.place(hops)
        self._load(_IPV6_PAYLOAD, mask=0xFFFF0000)
        program.jump_if_other(R0, _ICMPV6 << 24, self._drop)
        self._load(_IPV6_PAYLOAD + 8, mask=0xFF000000)
        for report in _LISTENER_REPORTS:
            program.jump_if_equal(R0, report << 24, self._pass)
        program.jump(self._drop)
        program.place(fragment)
        # Without the first one, at which we look, nobody puts the others together.
        self._load(_IPV6_PAYLOAD, mask=0x0000FFF8)
        program.jump_if_other(R0, 0, self._pass)
        self._load(_IPV6_PAYLOAD, mask=0xFF000000)
        program.jump_if_equal(R0, _HOP_BY_HOP << 24, self._drop)
        program.jump_if_equal(R0, _FRAGMENT << 24, self._drop)
        self._check_next(24, _IPV6_PAYLOAD + _FRAGMENT_BYTES)

    def _check_next(self, shift: int, offset: int) -> None:
        """What comes at an offset, by the number of its protocol, which has been loaded so many bits to the left."""
        program, message, datagram = self._assembler, Label(), Label()
        program.jump_if_equal(R0, _ICMPV6 << shift, message)
        program.jump_if_equal(R0, _UDP << shift, datagram)
        for refused in (_ROUTING, _DESTINATION_OPTIONS, *_OF_ROUTERS):
            program.jump_if_equal(R0, refused << shift, self._drop)
        program.jump(self._pass)
        program.place(datagram)
        self._check_udp(offset, _DHCPV6_SERVER)
        program.place(message)
        self._load(offset, mask=0xFF000000)
        for refused in _MESSAGES_OF_ROUTERS:
            program.jump_if_equal(R0, refused << 24, self._drop)
        program.jump_if_other(R0, _NEIGHBOUR_ADVERTISEMENT << 24, self._pass)
        self._expect_any(offset + _ICMPV6_TARGET, self._ipv6)
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
