# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every program that holds a jail to its addresses, proven on contexts as the kernel lays them out."""

from __future__ import annotations

import socket
import struct
from hashlib import sha256

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel import address_programs, cgroup_bpf
from ansible_collections.hosting.jails.plugins.module_utils._kernel.address_program import Held
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._kernel import held_sockets as jail
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._kernel.held_expectations import (
    A4,
    A6,
    B4,
    B6,
    BINDS,
    CONNECTS,
    FOREIGN4,
    FOREIGN6,
    UNAVAILABLE,
    UNREACHABLE,
    mapped,
)
from hypothesis import given, settings
from hypothesis import strategies as st

BOTH = Held((A4, B4), (A6, B6))
ONLY4, ONLY6, NONE = Held((A4, B4)), Held((), (A6, B6)), Held()

IPV4 = st.ip_addresses(v=4).filter(lambda one: not one.is_loopback and not one.is_unspecified).map(str)
IPV6 = (
    st.ip_addresses(v=6)
    .filter(lambda one: not one.is_loopback and not one.is_unspecified and one.ipv4_mapped is None)
    .map(str)
)
HELD = st.builds(
    Held,
    st.lists(IPV4, max_size=6, unique=True).map(tuple),
    st.lists(IPV6, max_size=6, unique=True).map(tuple),
    low_ports=st.booleans(),
    ping=st.booleans(),
    names_errors=st.booleans(),
    no_low_ports=st.booleans(),
)


# bind


@pytest.mark.parametrize("address", BINDS)
def test_binding_to_it_binds_to(address: str) -> None:
    assert jail.bind(BOTH, address) == BINDS[address]


def test_without_ipv6_addresses_the_ipv6_wildcard_becomes_the_first_ipv4_address() -> None:
    assert jail.bind(ONLY4, "::") == mapped(A4)
    assert jail.bind(ONLY4, "::1") == mapped(A4)
    assert jail.bind(ONLY4, A6) == UNAVAILABLE


def test_without_ipv4_addresses_there_is_no_ipv4() -> None:
    for address in ("0.0.0.0", "127.0.0.1", A4, mapped(A4), mapped("0.0.0.0")):
        assert jail.bind(ONLY6, address) == UNAVAILABLE
    assert jail.bind(ONLY6, "::") == A6


@pytest.mark.parametrize("address", ["0.0.0.0", "::", A4, A6, mapped(A4), "::1"])
def test_without_addresses_nothing_can_be_bound(address: str) -> None:
    assert jail.bind(NONE, address) == UNAVAILABLE


@given(held=HELD, address=IPV4 | IPV6 | IPV4.map(mapped))
def test_what_is_bound_is_always_an_address_of_the_jail(held: Held, address: str) -> None:
    own = {*held.ipv4, *held.ipv6, *map(mapped, held.ipv4)}
    refused = UNAVAILABLE if held.names_errors else "EPERM"
    assert jail.bind(held, address) == (address if address in own else refused)


@pytest.mark.parametrize("address", ["0.0.0.0", A4, "::", A6, mapped(A4)])
def test_low_ports_need_no_capability_where_that_is_allowed(address: str) -> None:
    assert jail.bind_verdict(BOTH, address) == 1
    assert jail.bind_verdict(BOTH._replace(low_ports=True), address) == 3
    assert jail.bind_verdict(BOTH._replace(low_ports=True), FOREIGN4) == 0


@given(port=st.integers(0, 65535), address=st.sampled_from(["0.0.0.0", A4, "::", A6, mapped(A4)]))
def test_low_ports_are_refused_where_they_are_not_allowed(port: int, address: str) -> None:
    refusing = BOTH._replace(no_low_ports=True)
    expected = "EACCES" if 0 < port < 1024 else jail.bind(BOTH, address)
    assert jail.bind(refusing, address, port) == expected
    assert jail.bind(BOTH, address, port) == jail.bind(BOTH, address)


def test_before_linux_5_18_a_refusal_is_a_refused_permission() -> None:
    assert jail.bind(BOTH._replace(names_errors=False), FOREIGN4) == "EPERM"


@given(held=HELD, address=IPV4 | IPV6 | IPV4.map(mapped))
def test_a_socket_stays_bound_to_addresses_of_the_jail_only(held: Held, address: str) -> None:
    own = {*held.ipv4, *held.ipv6, *map(mapped, held.ipv4)}
    assert (jail.bound(held, address) == address) is (address in own)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "127.0.0.1", "::1"])
def test_a_socket_does_not_stay_bound_to_the_wildcard(address: str) -> None:
    assert jail.bound(BOTH, address) == UNAVAILABLE


# connect


@pytest.mark.parametrize("address", CONNECTS)
def test_connecting_to_it_leads_to_and_comes_from(address: str) -> None:
    assert jail.connect(BOTH, address) == CONNECTS[address]


@pytest.mark.parametrize(
    ("address", "source"),
    [(FOREIGN4, A4), (FOREIGN4, B4), ("127.0.0.1", B4), (FOREIGN6, B6), (mapped(FOREIGN4), mapped(B4)), ("::1", B6)],
)
def test_a_socket_that_is_bound_to_an_address_of_the_jail_keeps_it(address: str, source: str) -> None:
    assert jail.connect(BOTH, address, source=source)[1] == source


@pytest.mark.parametrize(
    ("address", "source"),
    [
        (FOREIGN4, "10.35.0.1"),
        (FOREIGN6, "fd00:35::1"),
        (mapped(FOREIGN4), mapped("10.35.0.1")),
        (mapped(FOREIGN4), A6),
        (FOREIGN6, mapped(A4)),
    ],
)
def test_a_socket_that_is_bound_to_another_address_connects_nowhere(address: str, source: str) -> None:
    """One from outside, or one that is bound to an address that was taken away."""
    assert jail.connect(BOTH, address, source=source) == (UNAVAILABLE, "")


@pytest.mark.parametrize("address", [FOREIGN4, FOREIGN6, mapped(FOREIGN4)])
def test_a_source_that_the_kernel_does_not_bind_is_no_connection(address: str) -> None:
    """A datagram socket that has sent before has a port already, and keeps the wildcard (D.6)."""
    assert jail.connect(BOTH, address, binds=-22) == (UNAVAILABLE, "")


def test_without_addresses_of_a_family_there_is_no_way() -> None:
    assert jail.connect(ONLY4, FOREIGN6) == (UNREACHABLE, "")
    assert jail.connect(ONLY6, FOREIGN4) == (UNREACHABLE, "")
    assert jail.connect(ONLY6, mapped(FOREIGN4)) == (UNREACHABLE, "")
    assert jail.connect(ONLY6, "127.0.0.1") == (UNREACHABLE, "")
    assert jail.connect(NONE, "::1") == (UNREACHABLE, "")
    assert jail.connect(ONLY4, "::1") == (mapped(A4), mapped(A4))


@given(held=HELD, address=IPV4 | IPV6 | IPV4.map(mapped) | st.sampled_from(["127.0.0.1", "::1", "0.0.0.0", "::"]))
def test_no_connection_comes_from_elsewhere(held: Held, address: str) -> None:
    reached, source = jail.connect(held, address)
    if source:
        assert source in {*held.ipv4, *held.ipv6, *map(mapped, held.ipv4)}
        assert reached in {address, source}
    else:
        assert reached in ({UNREACHABLE, UNAVAILABLE} if held.names_errors else {"EPERM"})


# sendto and sendmsg


@pytest.mark.parametrize("address", [address for address in CONNECTS if not address.startswith("::ffff:")])
def test_a_datagram_goes_where_a_connection_goes(address: str) -> None:
    """Those to mapped addresses are sent as IPv4."""
    assert jail.send(BOTH, address) == CONNECTS[address]


@pytest.mark.parametrize(("address", "source"), [(FOREIGN4, B4), ("127.0.0.1", B4), (FOREIGN6, B6), ("::1", B6)])
def test_a_datagram_may_name_its_source_among_the_addresses_of_the_jail(address: str, source: str) -> None:
    assert jail.send(BOTH, address, source=source)[1] == source


@given(held=HELD, address=IPV4 | IPV6, source=IPV4 | IPV6)
def test_no_datagram_comes_from_elsewhere(held: Held, address: str, source: str) -> None:
    if (":" in address) is (":" in source):
        sent = jail.send(held, address, source=source)
        assert sent == (address, source) if source in (*held.ipv4, *held.ipv6) else not sent[1]


@pytest.mark.parametrize("source", [mapped(A4), "::1"])
def test_a_datagram_of_one_family_does_not_name_a_source_of_the_other(source: str) -> None:
    assert jail.send(BOTH, FOREIGN6, source=source) == (UNAVAILABLE, "")


def test_without_addresses_of_a_family_no_datagram_leaves() -> None:
    assert jail.send(ONLY4, FOREIGN6) == jail.send(ONLY6, FOREIGN4) == jail.send(NONE, "127.0.0.1") == (UNREACHABLE, "")


# getsockname


def test_a_socket_that_the_kernel_has_given_a_port_says_where_it_is_reached() -> None:
    assert jail.getsockname(BOTH, "0.0.0.0", 40000) == A4
    assert jail.getsockname(BOTH, "::", 40000) == A6
    assert jail.getsockname(ONLY4, "::", 40000) == mapped(A4)


def test_other_names_of_sockets_are_as_they_are() -> None:
    assert jail.getsockname(BOTH, "0.0.0.0", 0) == "0.0.0.0"
    assert jail.getsockname(BOTH, "::", 0) == "::"
    for address in (B4, FOREIGN4, B6, "::1", mapped(A4)):
        assert jail.getsockname(BOTH, address, 80) == address
    assert jail.getsockname(NONE, "0.0.0.0", 80) == "0.0.0.0"


# socket

INET, INET6, STREAM, DGRAM, RAW = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM, 3
ICMP, ICMPV6, UDPLITE, SCTP, MPTCP, L2TP, DCCP = 1, 58, 136, 132, 262, 115, 33


@pytest.mark.parametrize("family", [INET, INET6])
@pytest.mark.parametrize("kind", [(STREAM, 0), (STREAM, 6), (DGRAM, 0), (DGRAM, 17)])
def test_tcp_and_udp_sockets_are_made(family: int, kind: tuple[int, int]) -> None:
    assert jail.create(BOTH, family, *kind) == ""


@pytest.mark.parametrize(
    "kind",
    [
        (RAW, ICMP),
        (RAW, 255),
        (RAW, ICMPV6),
        (STREAM, MPTCP),
        (STREAM, SCTP),
        (5, SCTP),
        (6, DCCP),
        (DGRAM, UDPLITE),
        (DGRAM, L2TP),
        (DGRAM, ICMP),
        (DGRAM, ICMPV6),
        (STREAM, 17),
        (DGRAM, 6),
    ],
)
def test_no_other_sockets_of_the_internet_are_made(kind: tuple[int, int]) -> None:
    for family in (INET, INET6):
        assert jail.create(BOTH, family, *kind) == "EPROTONOSUPPORT"


def test_sockets_for_echo_requests_are_made_where_they_are_allowed() -> None:
    allowed = BOTH._replace(ping=True)
    assert jail.create(allowed, INET, DGRAM, ICMP) == jail.create(allowed, INET6, DGRAM, ICMPV6) == ""
    assert jail.create(allowed, INET, RAW, ICMP) == "EPROTONOSUPPORT"


def test_there_are_sockets_of_the_families_of_the_addresses() -> None:
    assert jail.create(ONLY4, INET6, STREAM) == ""
    assert jail.create(ONLY6, INET, STREAM) == "EAFNOSUPPORT"
    assert jail.create(NONE, INET6, STREAM) == jail.create(NONE, INET, DGRAM) == "EAFNOSUPPORT"


# packets


@given(held=HELD, address=IPV4 | IPV6 | IPV4.map(mapped))
def test_packets_pass_by_the_jails_end_of_them(held: Held, address: str) -> None:
    own = address in (*held.ipv4, *held.ipv6)
    other = FOREIGN6 if ":" in address else FOREIGN4
    assert jail.passes(held, "egress", source=address, destination=other) is own
    assert jail.passes(held, "ingress", source=other, destination=address) is own


def test_broadcasts_and_multicasts_are_not_received() -> None:
    for address in ("255.255.255.255", "10.35.0.255", "224.0.0.251", "0.0.0.0"):
        assert not jail.passes(BOTH, "ingress", source=FOREIGN4, destination=address)
    assert not jail.passes(BOTH, "ingress", source=FOREIGN6, destination="ff02::fb")


@pytest.mark.parametrize("protocol", [0x0806, 0x8100, 0x88B5])
def test_what_is_not_ip_does_not_pass(protocol: int) -> None:
    assert not jail.passes(BOTH, "egress", source=A4, destination=FOREIGN4, protocol=protocol)


@pytest.mark.parametrize("length", [0, 15, 19])
def test_what_is_too_short_does_not_pass(length: int) -> None:
    assert not jail.passes(BOTH, "ingress", source=FOREIGN4, destination=A4, length=length)
    assert not jail.passes(BOTH, "ingress", source=FOREIGN6, destination=A6, length=length)


# the programs as such


def test_there_is_a_program_for_each_hook() -> None:
    assert set(address_programs.BUILDERS) == set(cgroup_bpf.HOOKS)


@settings(max_examples=30, deadline=None)
@given(HELD)
def test_every_instruction_can_be_reached(held: Held) -> None:
    """Or the kernel's verifier refuses the program as a whole."""
    for hook, code in address_programs.programs(held).items():
        instructions = list(struct.iter_unpack("=BBhi", code))
        reached, ahead = set(), [0]
        while ahead:
            position = ahead.pop()
            if position in reached:
                continue
            reached.add(position)
            operation, _unused, offset, _unused = instructions[position]
            if operation not in (0x95, 0x05):
                ahead.append(position + 1)
            if operation in (0x05, 0x15, 0x16, 0x56):
                ahead.append(position + 1 + offset)
        assert reached == set(range(len(instructions))), hook


def test_programs_have_another_generation_when_they_are_made_another_way() -> None:
    """By it they are known again in the kernel: put the digest that this says into GENERATION."""
    samples = (
        BOTH,
        ONLY4,
        ONLY6,
        NONE,
        BOTH._replace(low_ports=True, ping=True),
        BOTH._replace(names_errors=False, no_low_ports=True),
    )
    codes = b"".join(code for held in samples for code in address_programs.programs(held).values())
    assert sha256(codes).hexdigest()[:8] == address_programs.GENERATION


@given(HELD, HELD)
def test_other_addresses_and_rules_make_another_identity(one: Held, other: Held) -> None:
    assert (address_programs.identity(one) == address_programs.identity(other)) is (one == other)
