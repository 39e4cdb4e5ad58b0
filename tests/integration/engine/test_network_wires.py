# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jails on a wire that they share with others: a bridge of the host, or macvlans of one of its links."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import allocations, network, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._kernel import links, rtnetlink
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.planner import Wanted
from ansible_collections.hosting.jails.tests.integration.engine import network_host as host

pytestmark = pytest.mark.usefixtures("private_host")

BRIDGE, PARENT, OTHER_END = "br0", "uplink0", "uplink1"
IPV4, IPV6 = "10.23.95.{}", "fd00:23:95::{}"
OWN, NEIGHBOUR, FOREIGN = 11, 12, 77
BROADCAST = b"\xff" * 6
IP, ARP, IPV6_TYPE, VLAN = 0x0800, 0x0806, 0x86DD, 0x8100


def addresses(number: int) -> list[str]:
    return [f"{IPV4.format(number)}/24", f"{IPV6.format(number)}/64"]


def plugged(name: str, number: int, **ip: Any) -> dict[str, Any]:
    wire = ip or {"bridge": BRIDGE, "gateway": [IPV4.format(1), IPV6.format(1)]}
    return host.jail(name, *addresses(number), **wire)


def make(document: dict[str, Any]) -> bool:
    store.prepare_directories()
    return network.ensure(document, allocations.claim(document["name"]).number)


@pytest.fixture
def private_host(private_state: None) -> None:
    host.enter_private_host()


@pytest.fixture(autouse=True)
def wires(private_host: None) -> None:
    with links.Connection() as connection:
        connection._shape("make", BRIDGE, "link", "add", ifname=BRIDGE, kind="bridge")
        connection._shape("make", PARENT, "link", "add", ifname=PARENT, kind="veth", peer={"ifname": OTHER_END})
        for name in (BRIDGE, PARENT, OTHER_END):
            connection.set_link(host.link(name), up=True)
        for address in addresses(1):
            connection.add_address(host.link(BRIDGE), address)


@pytest.mark.parametrize("wire", [{}, {"parent": PARENT}], ids=["bridge", "macvlan"])
def test_jails_on_one_wire_reach_each_other_over_both_families(wire: dict[str, Any]) -> None:
    for name, number in (("web1", OWN), ("web2", NEIGHBOUR)):
        assert make(plugged(name, number, **wire))
    with host.inside("web1"):
        assert host.answers(IPV4.format(NEIGHBOUR))
        assert host.answers(IPV6.format(NEIGHBOUR))


def test_a_jail_on_a_bridge_reaches_the_host_and_is_reached_by_it() -> None:
    make(plugged("web1", OWN))
    with host.inside("web1"):
        assert host.answers(IPV4.format(1))
    assert host.answers(IPV4.format(OWN))
    assert host.answers(IPV6.format(OWN))


@pytest.mark.parametrize("wire", [{}, {"parent": PARENT}], ids=["bridge", "macvlan"])
def test_a_second_run_finds_nothing_to_do_and_sees_all_as_it_is(wire: dict[str, Any]) -> None:
    document = plugged("web1", OWN, **wire)
    assert make(document)
    assert not make(document)
    for known in (document, None):
        live = network.observe("web1", known)
        assert live is not None
        assert (live.mode, live.up, sorted(live.addresses)) == ("vnet", True, sorted(addresses(OWN)))


def test_what_is_damaged_is_seen_and_mended() -> None:
    document = plugged("web1", OWN)
    make(document)
    link = host.link(f"jl{allocations.claim('web1').number}")
    with links.Connection() as connection:
        connection.plug_into(link, "")
        live = network.observe("web1", document)
        assert live is not None
        assert not live.up
        assert make(document)
        assert host.link(link.name).master == host.link(BRIDGE).ifindex
        connection.delete(link)
    assert make(document)
    assert host.answers(IPV4.format(OWN))


def test_a_jail_goes_from_the_host_to_a_bridge_to_a_macvlan_and_back_without_a_new_namespace() -> None:
    routed = host.jail("web1", f"{IPV4.format(OWN)}/32")
    make(routed)
    with host.inside("web1"):
        before = rtnetlink.Reader()
    with before:
        for document in (plugged("web1", OWN), plugged("web1", OWN, parent=PARENT), routed):
            assert make(document)
            assert not make(document)
            assert before.link(name="eth0") is not None
    with links.Connection() as connection:
        connection.delete(host.link(BRIDGE))
    assert host.answers(IPV4.format(OWN))


@pytest.mark.parametrize("wire", [{}, {"parent": PARENT}], ids=["bridge", "macvlan"])
def test_nothing_is_left_of_it(wire: dict[str, Any]) -> None:
    before = host.world()
    make(plugged("web1", OWN, **wire))
    assert network.remove("web1", allocations.claim("web1").number)
    assert host.world() == before


@pytest.mark.parametrize(
    ("wire", "path"),
    [
        ({"bridge": "nobridge"}, "ip.bridge: the host has no link 'nobridge'"),
        ({"bridge": PARENT}, f"ip.bridge: '{PARENT}' is no bridge of the host"),
        ({"parent": "noparent"}, "ip.parent: the host has no link 'noparent'"),
    ],
)
def test_a_wire_that_the_host_does_not_have_is_refused_before_anything_is_made(wire: dict[str, Any], path: str) -> None:
    before = host.world()
    for attempt in (network.preflight, make):
        with pytest.raises(EngineError, match=path):
            attempt(plugged("web1", OWN, **wire))
        network.remove("web1")
        assert host.world() == before


def test_an_address_that_a_station_on_the_wire_answers_for_is_refused() -> None:
    make(plugged("web1", OWN))
    with host.inside("web1"), links.Connection() as connection:
        link = host.link("eth0")
        connection.add_address(link, f"{IPV4.format(NEIGHBOUR)}/24")
    with pytest.raises(EngineError, match=r"ip.addresses\[0\]: .*answers for it"):
        network.preflight(plugged("web2", OWN))


@pytest.mark.parametrize("wire", [{}, {"parent": PARENT}], ids=["bridge", "macvlan"])
def test_neighbours_are_told_of_an_address_that_arrives(wire: dict[str, Any]) -> None:
    make(host.jail("web1", f"{IPV4.format(OWN)}/24", **(wire or {"bridge": BRIDGE})))
    with listening(OTHER_END if wire else BRIDGE) as frames:
        make(host.jail("web1", f"{IPV4.format(OWN)}/24", f"{IPV4.format(99)}/24", **(wire or {"bridge": BRIDGE})))
        assert seen(frames, arp(IPV4.format(99), mac_of("web1"))[6:30])


class TestWhatAJailCannotSayToItsNeighbours:
    @pytest.fixture(autouse=True, params=["bridge", "macvlan"])
    def wire(self, request: pytest.FixtureRequest, wires: None) -> str:
        make(plugged("web1", OWN, **({"parent": PARENT} if request.param == "macvlan" else {})))
        return OTHER_END if request.param == "macvlan" else BRIDGE

    @pytest.mark.parametrize(
        "make_frame",
        [
            pytest.param(lambda mac: arp(IPV4.format(FOREIGN), mac), id="that it has an address of another (ARP)"),
            pytest.param(lambda mac: arp(IPV4.format(OWN), BROADCAST[:5] + b"\x01"), id="that its MAC is another"),
            pytest.param(lambda mac: swapped(arp(IPV4.format(OWN), mac)), id="anything from another MAC"),
            pytest.param(lambda mac: udp4(IPV4.format(FOREIGN), 1000, mac), id="anything from another IPv4 address"),
            pytest.param(lambda mac: udp4(IPV4.format(OWN), 67, mac), id="a DHCP answer"),
            pytest.param(lambda mac: udp6(IPV6.format(FOREIGN), mac), id="anything from another IPv6 address"),
            pytest.param(lambda mac: udp6("fe80::1", mac), id="anything from another link-local address"),
            pytest.param(lambda mac: icmp6(local(mac), 134, mac), id="a router advertisement"),
            pytest.param(lambda mac: icmp6(local(mac), 137, mac), id="a redirect"),
            pytest.param(
                lambda mac: icmp6(IPV6.format(OWN), 136, mac, target=IPV6.format(FOREIGN)),
                id="that it has an address of another (neighbour discovery)",
            ),
            pytest.param(lambda mac: behind_hop_by_hop(icmp6(local(mac), 134, mac)), id="a hidden advertisement"),
            pytest.param(lambda mac: BROADCAST + mac + struct.pack("!HH", VLAN, 5) + bytes(60), id="a VLAN's frame"),
        ],
    )
    def test(self, wire: str, make_frame: Any) -> None:
        mac, honest = mac_of("web1"), arp(IPV4.format(OWN), mac_of("web1"))
        frame = make_frame(mac)
        heard: list[bytes] = []
        with listening(wire) as frames:
            assert passes(honest, frames)
            say(frame)
            assert passes(honest, frames, heard)
        assert frame not in heard

    @pytest.mark.parametrize(
        "make_frame",
        [
            lambda mac: udp4(IPV4.format(OWN), 1000, mac),
            lambda mac: udp6(IPV6.format(OWN), mac),
            lambda mac: udp6(local(mac), mac),
            lambda mac: icmp6(IPV6.format(OWN), 136, mac, target=IPV6.format(OWN)),
            lambda mac: icmp6(local(mac), 135, mac, target=IPV6.format(FOREIGN)),
        ],
        ids=["IPv4", "IPv6", "link-local", "advertisement", "solicitation"],
    )
    def test_but_what_is_true_passes(self, wire: str, make_frame: Any) -> None:
        with listening(wire) as frames:
            assert passes(make_frame(mac_of("web1")), frames)

    def test_nor_what_routers_alone_say(self, wire: str) -> None:
        mac = mac_of("web1")
        of_routers = {
            "query for members (IGMP)": igmp(0x11, mac),
            "query with an option": igmp(0x11, mac, option=True),
            "multicast router": igmp(0x30, mac),
            "VRRP": ipv4(IPV4.format(OWN), 112, bytes(8), mac),
            "OSPF": ipv6(local(mac), 89, bytes(8), mac),
            "DHCPv6": udp6(local(mac), mac, port=547),
            "DHCPv6 in fragments": in_fragments(udp6(local(mac), mac, port=547)),
            "advertisement in fragments": in_fragments(icmp6(local(mac), 134, mac)),
            "query for listeners (MLD)": icmp6(local(mac), 130, mac),
        }
        of_anybody = [
            igmp(0x16, mac),
            igmp(0x22, mac, option=True),
            in_fragments(udp6(IPV6.format(OWN), mac)),
            in_fragments(icmp6(IPV6.format(OWN), 128, mac)),
        ]
        heard: list[bytes] = []
        with listening(wire) as frames:
            assert passes(arp(IPV4.format(OWN), mac), frames)
            for frame in of_routers.values():
                say(frame)
            for frame in of_anybody:
                assert passes(frame, frames, heard)
        assert [name for name, frame in of_routers.items() if frame in heard] == []


def test_a_root_who_owns_his_network_gets_no_macvlan() -> None:
    from ansible_collections.hosting.jails.plugins.module_utils._model.live import Live
    from ansible_collections.hosting.jails.plugins.module_utils._model.planner import plan

    given = {"ip": {"mode": "vnet", "parent": PARENT, "addresses": addresses(OWN), "admin": True}}
    with pytest.raises(DocumentError, match="ip.parent: the host cannot hold a jail to its addresses there"):
        plan(Wanted(jail="web1", given=given), None, Live(state="absent"))


# Frames, as a root with raw sockets would write them


def mac_of(name: str) -> bytes:
    with host.inside(name):
        return bytes.fromhex(host.link("eth0").mac.replace(":", ""))


def local(mac: bytes) -> str:
    octets = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + bytes(6) + octets)


def arp(sender: str, mac: bytes) -> bytes:
    ip = socket.inet_aton(sender)
    source = mac if mac[0] != 0xFF else b"\x02" + mac[1:]
    body = struct.pack("!HHBBH", 1, IP, 6, 4, 1) + mac + ip + bytes(6) + ip
    return BROADCAST + source + struct.pack("!H", ARP) + body


def swapped(frame: bytes) -> bytes:
    return frame[:6] + b"\x02\x99\x99\x99\x99\x99" + frame[12:]


def udp4(source: str, port: int, mac: bytes) -> bytes:
    return ipv4(source, 17, struct.pack("!HHHH", port, 68, 8, 0), mac)


def igmp(kind: int, mac: bytes, *, option: bool = False) -> bytes:
    return ipv4(IPV4.format(OWN), 2, struct.pack("!BBHI", kind, 0, 0, 0), mac, options=b"\x94\4\0\0" if option else b"")


def ipv4(source: str, protocol: int, payload: bytes, mac: bytes, *, options: bytes = b"") -> bytes:
    rest = socket.inet_aton(source) + socket.inet_aton(IPV4.format(255)) + options
    size = 12 + len(rest)
    fields = (0x40 | size // 4, 0, size + len(payload), 0, 0, 64, protocol)
    total = sum(struct.unpack(f"!{size // 2}H", struct.pack("!BBHHHBBH", *fields, 0) + rest))
    # A bridge with a packet filter of its own (br_netfilter) drops what has no valid checksum.
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    header = struct.pack("!BBHHHBBH", *fields, checksum) + rest
    return BROADCAST + mac + struct.pack("!H", IP) + header + payload


def in_fragments(frame: bytes) -> bytes:
    """The first of several: what is behind the fragment header is the same."""
    link, header, payload = frame[:14], frame[14:54], frame[54:]
    fragment = struct.pack("!BBHI", header[6], 0, 1, 7) + payload
    return link + header[:4] + struct.pack("!HB", len(fragment), 44) + header[7:] + fragment


def ipv6(source: str, protocol: int, payload: bytes, mac: bytes) -> bytes:
    addresses = b"".join(socket.inet_pton(socket.AF_INET6, one) for one in (source, "ff02::1"))
    header = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 255) + addresses
    return b"\x33\x33\0\0\0\x01" + mac + struct.pack("!H", IPV6_TYPE) + header + payload


def udp6(source: str, mac: bytes, *, port: int = 1000) -> bytes:
    return ipv6(source, 17, struct.pack("!HHHH", port, 2000, 8, 1), mac)


def icmp6(source: str, kind: int, mac: bytes, *, target: str = "::") -> bytes:
    return ipv6(source, 58, struct.pack("!BBHI", kind, 0, 0, 0) + socket.inet_pton(socket.AF_INET6, target), mac)


def behind_hop_by_hop(frame: bytes) -> bytes:
    """The same message behind an extension header of eight bytes that says nothing (RFC 8200, section 4.2)."""
    header, payload = bytearray(frame[:54]), frame[54:]
    extension = bytes([header[20], 0, 1, 4, 0, 0, 0, 0])
    header[20] = 0
    struct.pack_into("!H", header, 18, len(payload) + len(extension))
    return bytes(header) + extension + payload


def listening(name: str) -> socket.socket:
    frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    frames.bind((name, 0))
    return frames


def say(frame: bytes) -> None:
    """Send a frame as the jail's root could; a filter behind the jail's own link tells him that it was dropped."""
    with host.inside("web1"), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw, contextlib.suppress(OSError):
        raw.sendto(frame, ("eth0", 0))


def passes(frame: bytes, frames: socket.socket, heard: list[bytes] | None = None) -> bool:
    """Whether a frame arrives; said again and again, as a port that is new to a bridge loses the first."""
    for _unused in range(20):
        say(frame)
        if seen(frames, frame, heard, seconds=0.25):
            return True
    return False


def seen(frames: socket.socket, wanted: bytes, heard: list[bytes] | None = None, *, seconds: float = 30) -> bool:
    """Whether a frame that holds these bytes arrives in time."""
    deadline = time.monotonic() + seconds
    while select.select([frames], [], [], max(0, deadline - time.monotonic()))[0]:
        frame = frames.recv(2048)
        if heard is not None:
            heard.append(frame)
        if wanted in frame:
            return True
    return False
