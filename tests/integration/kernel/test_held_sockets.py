# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel keeps the sockets of a control group to its addresses, whatever a root in it tries."""

from __future__ import annotations

import array
import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel.address_program import Held
from ansible_collections.hosting.jails.tests.integration.kernel import sockets
from ansible_collections.hosting.jails.tests.integration.kernel.held_group import Group, Host
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
    mapped,
)

HOST4, HOST6, OTHER4, OTHER6 = "10.35.0.1", "fd00:35::1", "10.35.0.21", "fd00:35::21"
IP, IPV6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6
FREEBIND, TRANSPARENT, V6_FREEBIND, V6_TRANSPARENT = 15, 19, 78, 75
REUSE_PORT = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


class World(NamedTuple):
    host: Host
    jail: Group
    other: Group
    ipv4: Group


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A host with addresses of its own, two jails, and one with IPv4 only."""
    own = [f"{HOST4}/24", f"{HOST6}/64", f"{FOREIGN4}/32", f"{FOREIGN6}/128"]
    jailed = [f"{address}/{128 if ':' in address else 32}" for address in (A4, B4, A6, B6, OTHER4, OTHER6)]
    host = Host(*own, *jailed)
    groups = [
        Group(host, "a", Held((A4, B4), (A6, B6))),
        Group(host, "b", Held((OTHER4,), (OTHER6,))),
        Group(host, "c", Held((A4,))),
    ]
    try:
        yield World(host, *groups)
    finally:
        for group in groups:
            group.remove()
        host.close()


# The same claims as about the programs in the simulator: the two have to agree.


@pytest.mark.parametrize("kind", [TCP, UDP], ids=["tcp", "udp"])
@pytest.mark.parametrize("address", BINDS)
def test_binding_to_it_binds_to(world: World, address: str, kind: int) -> None:
    assert world.jail.run(sockets.bind, address, kind) == BINDS[address]


# Link-local addresses need a scope; the jail's own are no host's.
REACHED = [address for address in CONNECTS if not address.startswith("fe80")]


@pytest.mark.parametrize("address", REACHED)
def test_connecting_to_it_leads_to_and_comes_from(world: World, address: str) -> None:
    target, source = CONNECTS[address]
    server = world.host if target in (FOREIGN4, FOREIGN6, mapped(FOREIGN4)) else world.jail
    with server.running(sockets.serve, target) as values:
        assert world.jail.run(sockets.connect, address, next(values)) == source


@pytest.mark.parametrize("how", ["not connected", "connected"])
@pytest.mark.parametrize("address", REACHED)
def test_a_datagram_goes_to_and_comes_from(world: World, address: str, how: str) -> None:
    target, source = (one.removeprefix("::ffff:") for one in CONNECTS[address])
    server = world.host if target in (FOREIGN4, FOREIGN6) else world.jail

    def send(port: int) -> str:
        return sockets.send(address, port, connected=how == "connected")

    with server.running(sockets.receive, target) as values:
        assert world.jail.run(send, next(values)) == source


# Ordinary things


def test_two_jails_and_the_host_listen_at_one_port(world: World) -> None:
    wildcards = ((world.jail, "0.0.0.0"), (world.other, "0.0.0.0"), (world.jail, "::"), (world.other, "::"))
    started = [(group.running(sockets.serve, address, 80, (), "jail"), address) for group, address in wildcards]
    with started[0][0] as a, started[1][0] as b, started[2][0] as c, started[3][0] as d:
        assert [next(values) for values in (a, b, c, d)] == [80] * 4
        with world.host.running(sockets.serve, HOST4, 80, (), "host") as values:
            assert next(values) == 80
            assert world.host.run(sockets.connect, HOST4, 80) == f"host {HOST4}"
            for address in (A4, A6, OTHER4, OTHER6):
                assert world.host.run(sockets.connect, address, 80).startswith("jail ")
            assert world.other.run(sockets.connect, A4, 80) == f"jail {OTHER4}"
            assert world.other.run(sockets.connect, "127.0.0.1", 80) == f"jail {OTHER4}"
            assert world.jail.run(sockets.connect, A6, 80) == f"jail {A6}"


def test_a_jail_does_not_reach_services_on_the_hosts_loopback(world: World) -> None:
    for listens, tried in (
        ("127.0.0.1", ("127.0.0.1", "127.0.0.2", "0.0.0.0", mapped("127.0.0.1"))),
        ("::1", ("::1", "::")),
    ):
        with world.host.running(sockets.serve, listens) as values:
            port = next(values)
            for address in tried:
                assert world.jail.run(sockets.connect, address, port) == "ECONNREFUSED", address


def test_a_service_of_the_host_on_every_address_keeps_a_jail_from_its_port(world: World) -> None:
    with world.host.running(sockets.serve, "0.0.0.0", 2200) as values:
        next(values)
        assert world.jail.run(sockets.bind, "0.0.0.0", TCP, 2200) == "EADDRINUSE"


def test_a_server_that_listens_without_binding_is_reached_at_its_own_address_only(world: World) -> None:
    with world.jail.running(sockets.serve, "") as values:
        port = next(values)
        assert world.host.run(sockets.connect, A4, port) == A4
        assert world.host.run(sockets.connect, HOST4, port) == "timeout"
    assert world.jail.run(sockets.listen) == A4


def test_a_datagram_socket_that_the_kernel_has_bound_hears_nothing_that_is_not_for_the_jail(world: World) -> None:
    with world.jail.running(sockets.overhear, "224.0.0.99") as values:
        port = next(values)
        for address in (HOST4, "224.0.0.99", "10.35.0.255", FOREIGN4):
            world.host.run(sockets.call_out, address, port)
        world.host.run(sockets.call_out, A4, port)
        assert next(values) == [b"heard"]


def test_a_jail_with_ipv4_only_serves_it_on_ipv6_sockets(world: World) -> None:
    with world.ipv4.running(sockets.serve, "::", 8080) as values:
        next(values)
        assert world.host.run(sockets.connect, A4, 8080) == mapped(A4)
    assert world.ipv4.run(sockets.connect, HOST6, 80) == "ENETUNREACH"


def test_a_jail_reaches_link_local_addresses_from_its_own(world: World) -> None:
    with world.host.running(sockets.serve_neighbours, "eth0") as values:
        address, port = next(values)
        assert world.jail.run(sockets.connect_to_neighbour, address, port, "eth0") == A6
    assert world.jail.run(sockets.bind, f"{address}%eth0") == UNAVAILABLE


# Attempts


@pytest.mark.parametrize("address", [HOST4, OTHER4, HOST6, OTHER6, "192.0.2.99", mapped(HOST4)])
@pytest.mark.parametrize("kind", [TCP, UDP], ids=["tcp", "udp"])
def test_no_option_binds_a_foreign_address(world: World, address: str, kind: int) -> None:
    ipv6 = ":" in address
    for option in (V6_FREEBIND, V6_TRANSPARENT) if ipv6 else (FREEBIND, TRANSPARENT):
        level = IPV6 if ipv6 else IP
        assert world.jail.run(sockets.bind, address, kind, 0, [(level, option, 1)]) == UNAVAILABLE
    assert world.jail.run(sockets.bind, address, kind, 0, [REUSE_PORT]) == UNAVAILABLE


def test_nobody_shares_the_port_of_another_jail(world: World) -> None:
    with world.other.running(sockets.serve, OTHER4, 8081, [REUSE_PORT], "other") as values:
        next(values)
        assert world.jail.run(sockets.bind, OTHER4, TCP, 8081, [REUSE_PORT]) == UNAVAILABLE
        assert world.jail.run(sockets.bind, "0.0.0.0", TCP, 8081, [REUSE_PORT]) == A4


@pytest.mark.parametrize("address", ["0.0.0.0", HOST4])
def test_a_name_without_a_family_binds_nothing(world: World, address: str) -> None:
    assert world.jail.run(sockets.bind_unspecified, address) in (UNAVAILABLE, "EAFNOSUPPORT")


@pytest.mark.parametrize(
    "kind",
    [
        (socket.AF_INET, socket.SOCK_RAW, 1),
        (socket.AF_INET, socket.SOCK_RAW, 255),
        (socket.AF_INET6, socket.SOCK_RAW, 58),
        (socket.AF_INET, UDP, 1),
        (socket.AF_INET6, UDP, 58),
        (socket.AF_INET, TCP, 262),
        (socket.AF_INET, UDP, 136),
        (socket.AF_INET, TCP, 132),
    ],
    ids=["raw", "raw with headers", "raw IPv6", "echo", "echo IPv6", "MPTCP", "UDP-Lite", "SCTP"],
)
def test_a_jail_has_no_sockets_that_the_hooks_do_not_hold(world: World, kind: tuple[int, int, int]) -> None:
    assert world.jail.run(sockets.open_socket, *kind) == "EPROTONOSUPPORT"


def test_a_datagram_does_not_name_a_foreign_source(world: World) -> None:
    for target, foreign, named in (
        (FOREIGN4, (HOST4, OTHER4, "127.0.0.1", "192.0.2.99"), sockets.packet_info4),
        (FOREIGN6, (HOST6, OTHER6, "::1", "2001:db8::99"), sockets.packet_info6),
    ):
        with world.host.running(sockets.receive, target) as values:
            port = next(values)
            for source in foreign:
                for connected in (False, True):
                    refused = world.jail.run(_send_named, target, port, named(source), connected)
                    assert refused in (UNAVAILABLE, "EINVAL", "EPERM"), (source, connected)


def _send_named(target: str, port: int, control: list[tuple[int, int, bytes]], connected: bool) -> str:
    options = [(IPV6, V6_FREEBIND, 1)] if ":" in target else [(IP, FREEBIND, 1)]
    return sockets.send(target, port, control=control, connected=connected, options=options)


def test_a_datagram_names_another_source_of_the_jail(world: World) -> None:
    for target, source, named in ((FOREIGN4, B4, sockets.packet_info4), (FOREIGN6, B6, sockets.packet_info6)):
        with world.host.running(sockets.receive, target) as values:
            assert world.jail.run(_send_named, target, next(values), named(source), False) == source


def test_of_many_datagrams_at_once_the_foreign_ones_do_not_leave(world: World) -> None:
    with world.host.running(sockets.receive, FOREIGN4) as values:
        port = next(values)
        assert world.jail.run(sockets.send_many, FOREIGN4, port, [A4, B4]) == [A4, B4]
        assert world.jail.run(sockets.send_many, FOREIGN4, port, [A4, HOST4, B4]) == [A4]


def test_a_socket_that_the_kernel_has_bound_does_not_connect(world: World) -> None:
    """It could get no source of the jail any more (D.6)."""
    with world.host.running(sockets.receive, FOREIGN4) as values:
        assert world.jail.run(sockets.send_then_connect, FOREIGN4, next(values)) == UNAVAILABLE


def test_a_connection_that_is_taken_back_leaves_the_source(world: World) -> None:
    with world.host.running(sockets.receive, FOREIGN4) as values:
        after, source = world.jail.run(sockets.disconnect_and_send, FOREIGN4, next(values))
        assert (after, source) == (A4, A4)


def test_data_with_the_first_packet_comes_from_the_jail(world: World) -> None:
    fast_open = [(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)]
    for address, source in ((FOREIGN4, A4), (FOREIGN6, A6)):
        with world.host.running(sockets.serve, address, 0, fast_open) as values:
            port = next(values)
            assert [world.jail.run(sockets.connect_quickly, address, port) for _unused in range(2)] == [source] * 2
    with world.host.running(sockets.serve, "127.0.0.1", 0, fast_open) as values:
        assert world.jail.run(sockets.connect_quickly, "127.0.0.1", next(values)) == "ECONNREFUSED"


def test_an_ipv6_socket_that_becomes_an_ipv4_socket_is_still_the_jails(world: World) -> None:
    with world.host.running(sockets.converse, FOREIGN4) as values:
        assert world.jail.run(sockets.become_ipv4, FOREIGN4, next(values)) == A4


def test_an_ipv6_socket_that_is_given_ipv4_names_is_held_as_well(world: World) -> None:
    with world.host.running(sockets.receive, FOREIGN4) as values:
        assert world.jail.run(sockets.connect_by_ipv4_name, FOREIGN4, next(values)) == A4
    with world.host.running(sockets.receive, "127.0.0.1") as values:
        assert world.jail.run(sockets.connect_by_ipv4_name, "127.0.0.1", next(values)) == "ECONNREFUSED"


def test_a_flow_label_changes_no_source(world: World) -> None:
    with world.host.running(sockets.receive, FOREIGN6) as values:
        port = next(values)
        send_flow = 33
        flowing = world.jail.run(_send_flow, port, [(IPV6, send_flow, 1)])
        assert flowing in (A6, "EINVAL")


def _send_flow(port: int, options: list[tuple[int, int, int]]) -> str:
    return sockets.send(FOREIGN6, port, flow=0x12345, options=options)


def test_a_socket_on_a_device_is_held_as_well(world: World) -> None:
    """Any user may bind a socket to a device since Linux 5.7."""
    to_loopback = [(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")]
    with world.host.running(sockets.serve, "127.0.0.1") as values:
        assert world.jail.run(_connect_through, "127.0.0.1", next(values), to_loopback) in (
            "ECONNREFUSED",
            "timeout",
        )


def _connect_through(address: str, port: int, options: list[tuple[int, int, bytes]]) -> str:
    return sockets.connect(address, port, options=options)


def test_a_socket_from_outside_stays_what_it_was(world: World) -> None:
    """A socket belongs to the control group that it was made in: whoever hands one over means it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def make() -> bool:
            with socket.socket() as made:
                descriptors = array.array("i", [made.fileno()]).tobytes()
                theirs.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
            return True

        def use(address: str) -> str:
            descriptor = socket.recv_fds(ours, 1, 1)[1][0]
            with socket.socket(fileno=descriptor) as made:
                made.bind((address, 0))
                return str(made.getsockname()[0])

        assert world.host.run(make)
        assert world.jail.run(use, HOST4) == HOST4
        assert world.jail.run(make)
        assert world.host.run(use, HOST4) == UNAVAILABLE
