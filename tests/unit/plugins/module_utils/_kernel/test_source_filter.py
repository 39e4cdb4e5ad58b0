# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that judges a jail's packets, run by a simulator: no kernel has to be risked for it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import htons

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel.source_filter import DROP, PASS, program
from hypothesis import given
from hypothesis import strategies as st

IP, ARP, IPV6, VLAN = 0x0800, 0x0806, 0x86DD, 0x8100
GATEWAY = "169.254.1.1"
OUTSIDE = {IP: "192.0.2.1", IPV6: "2001:db8::99"}
# The kernel's numbers of the instructions that the program may consist of (instruction-set.rst).
MOVE, MOVE_REGISTER, AND32, EXIT = 0xB7, 0xBF, 0x54, 0x95
LOAD_FIELD, LOAD_PACKET, EQUAL32, NOT_EQUAL32 = 0x61, 0x20, 0x16, 0x56
IPV4_ADDRESSES = st.ip_addresses(v=4).map(str)
IPV6_ADDRESSES = st.ip_addresses(v=6).filter(lambda address: not address.is_link_local).map(str)


def verdict(addresses: Sequence[str], protocol: int, header: bytes) -> int:
    """What the program says to a packet with this network header."""
    instructions = list(struct.iter_unpack("=BBhi", program(list(addresses), gateway=GATEWAY)))
    result, position = 0, 0
    while True:
        operation, _unused, offset, value = instructions[position]
        position += 1
        if operation == EXIT:
            return result
        if operation == MOVE:
            result = value
        elif operation == LOAD_FIELD:
            result = htons(protocol)
        elif operation == LOAD_PACKET:
            start = value + 0x100000
            if start + 4 > len(header):
                return 0
            result = int.from_bytes(header[start : start + 4], "big")
        elif operation == AND32:
            result &= value & 0xFFFFFFFF
        elif operation in (EQUAL32, NOT_EQUAL32):
            assert offset >= 0, "a jump back may never end"
            position += offset if (result == value & 0xFFFFFFFF) is (operation == EQUAL32) else 0
        else:
            assert operation == MOVE_REGISTER


def packet(source: str, destination: str = "") -> tuple[int, bytes]:
    """Protocol and header of an IP packet."""
    origin = ip_address(source)
    protocol = IP if isinstance(origin, IPv4Address) else IPV6
    target = ip_address(destination or OUTSIDE[protocol])
    return protocol, bytes(12 if protocol == IP else 8) + origin.packed + target.packed


def arp(sender: str) -> tuple[int, bytes]:
    return ARP, bytes(14) + IPv4Address(sender).packed + bytes(10)


OWN = ("10.20.0.11", "203.0.113.200", "fd00:20::11", "2001:db8::ffff:ffff")


@pytest.mark.parametrize("address", OWN)
def test_what_comes_from_an_address_of_the_jail_passes(address: str) -> None:
    assert verdict(OWN, *packet(address)) == PASS


@given(own=st.lists(IPV4_ADDRESSES | IPV6_ADDRESSES, max_size=12, unique=True), other=IPV4_ADDRESSES | IPV6_ADDRESSES)
def test_what_comes_from_any_other_address_is_dropped(own: list[str], other: str) -> None:
    assert verdict(own, *packet(other)) == (PASS if other in own else DROP)
    assert all(verdict(own, *packet(address)) == PASS for address in own)


@pytest.mark.parametrize("address", ["fd00:20::12", "fd00:21::11", "fd00:20::1:11", "10.20.0.12"])
def test_an_address_that_differs_in_one_word_is_dropped(address: str) -> None:
    assert verdict(OWN, *packet(address)) == DROP


def test_the_unspecified_addresses_are_dropped() -> None:
    assert verdict(OWN, *packet("0.0.0.0")) == DROP
    assert verdict(OWN, *packet("::")) == DROP


def test_a_jail_of_one_family_sends_nothing_of_the_other() -> None:
    assert verdict(("10.20.0.11",), *packet("fd00:20::11")) == DROP
    assert verdict(("fd00:20::11",), *packet("10.20.0.11")) == DROP
    assert verdict(("fd00:20::11",), *arp("10.20.0.11")) == DROP


def test_link_local_ipv6_passes_on_the_wire() -> None:
    assert verdict(OWN, *packet("fe80::64:6ff:fe8b:5b7a", "fe80::1")) == PASS
    assert verdict(OWN, *packet("fec0::1", "fe80::1")) == DROP


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("169.254.169.254", DROP),
        (GATEWAY, PASS),
        ("169.254.1.2", DROP),
        ("169.253.255.255", PASS),
        ("169.255.0.0", PASS),
    ],
)
def test_of_the_link_local_ipv4_addresses_only_the_gateway_is_reached(destination: str, expected: int) -> None:
    assert verdict(OWN, *packet("10.20.0.11", destination)) == expected


def test_a_jail_answers_arp_for_its_own_addresses_alone() -> None:
    assert verdict(OWN, *arp("203.0.113.200")) == PASS
    assert verdict(OWN, *arp(GATEWAY)) == DROP


@pytest.mark.parametrize("protocol", [VLAN, 0x88B5, 0x8847, 0])
def test_other_protocols_are_dropped(protocol: int) -> None:
    assert verdict(OWN, protocol, packet("10.20.0.11")[1]) == DROP


@given(st.lists(st.ip_addresses(v=4) | st.ip_addresses(v=6), max_size=40, unique=True))
def test_every_instruction_can_be_reached(addresses: list[IPv4Address | IPv6Address]) -> None:
    """Or the kernel's verifier refuses the program as a whole."""
    instructions = list(struct.iter_unpack("=BBhi", program([str(address) for address in addresses], gateway=GATEWAY)))
    reached, ahead = set(), [0]
    while ahead:
        position = ahead.pop()
        if position in reached:
            continue
        reached.add(position)
        operation, _unused, offset, _unused = instructions[position]
        if operation != EXIT:
            ahead.append(position + 1)
        if operation in (EQUAL32, NOT_EQUAL32):
            ahead.append(position + 1 + offset)
    assert reached == set(range(len(instructions)))
