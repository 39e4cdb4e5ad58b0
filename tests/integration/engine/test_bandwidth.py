# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A jail receives and sends no faster than its document says, and nothing of that stays behind."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._kernel import links, rtnetlink
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.tests.integration.engine import network_host as host
from ansible_collections.hosting.jails.tests.integration.engine.firewall_host import (
    HOST4,
    OUTSIDE4,
    WEB1,
    Network,
    apply,
    world,
)
from ansible_collections.hosting.jails.tests.integration.jails import PATIENCE

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("private_state")

JAIL4 = "10.36.0.11"
SECONDS = 2.0
# Whether there is a limit at all shows sooner than what it is.
BRIEFLY = 0.7
_ATTEMPTS = 10


@pytest.fixture
def net(private_state: None) -> Network:
    network = Network()
    network.route_back("10.36.0.0/16")
    return network


def _bits_a_second(net: Network, sender: str, receiver: str, address: str, seconds: float = SECONDS) -> float:
    """What arrives of a stream that is sent as fast as possible.

    The clock runs before the first byte is sent: what has come while we were kept from reading would be too much.
    """
    with net.at(receiver):
        server = socket.create_server(("", 5001))
    with net.at(sender):
        client = socket.create_connection((address, 5001), PATIENCE)
    arriving, _unused = server.accept()
    arriving.settimeout(PATIENCE)
    with server, client, arriving:
        total, start = 0, time.monotonic()
        threading.Thread(target=_send, args=(client,), daemon=True).start()
        while time.monotonic() < start + seconds:
            total += len(arriving.recv(1 << 20))
        return total * 8 / (time.monotonic() - start)


def _send(client: socket.socket) -> None:
    try:
        while True:
            client.send(bytes(1 << 16))
    except OSError:
        return


def _assert_rate(rate: float, share: float, *path: Any) -> None:
    """So many bits a second and no more, and that share of them at least: a busy machine may need more than one try."""
    for _unused in range(_ATTEMPTS):
        arrived = _bits_a_second(*path)
        assert arrived <= 1.05 * rate
        if arrived >= share * rate:
            return
    raise AssertionError(f"{arrived} of {rate} bits a second arrive")


def _assert_no_limit(*path: Any) -> None:
    """More arrives than any limit here would let pass: a busy machine may need more than one try."""
    arrived = [0.0]
    while arrived[-1] <= 20e6:
        assert len(arrived) <= _ATTEMPTS, arrived
        arrived.append(_bits_a_second(*path, BRIEFLY))


@pytest.mark.parametrize("rate", [4, 20, 200])
def test_what_is_sold_arrives_and_no_more(net: Network, rate: int) -> None:
    apply("web1", {**WEB1, "bandwidth": {"ingress": f"{rate}M", "egress": f"{rate / 2 * 1000:.0f}K"}})
    _assert_rate(rate * 1e6, 0.5, net, "outside", "web1", JAIL4)
    _assert_rate(rate / 2 * 1e6, 0.5, net, "web1", "outside", OUTSIDE4)


def test_it_holds_towards_the_host_too(net: Network) -> None:
    apply("web1", {**WEB1, "bandwidth": {"ingress": "20M", "egress": "10M"}})
    _assert_rate(20e6, 0.8, net, "host", "web1", JAIL4)
    _assert_rate(10e6, 0.8, net, "web1", "host", HOST4)


def test_without_it_there_is_no_limit(net: Network) -> None:
    apply("web1", {**WEB1, "bandwidth": {"egress": "2M"}})
    _assert_no_limit(net, "outside", "web1", JAIL4)
    apply("web1", {"bandwidth": {}})
    _assert_no_limit(net, "web1", "outside", OUTSIDE4)


def test_it_changes_under_a_connection(net: Network) -> None:
    apply("web1", {**WEB1, "bandwidth": {"egress": "2M"}})
    with net.at("web1"):
        server = socket.create_server(("", 80))
    with net.at("outside"):
        client = socket.create_connection((JAIL4, 80), PATIENCE)
    arriving, _unused = server.accept()
    arriving.settimeout(PATIENCE)
    client.settimeout(PATIENCE)
    for rates in ({"egress": "50M"}, {}, {"ingress": "1M"}, {"ingress": "1M", "egress": "5M"}):
        assert apply("web1", {"bandwidth": rates})
        client.sendall(b"there")
        assert arriving.recv(16) == b"there"
        arriving.sendall(b"back")
        assert client.recv(16) == b"back"


def test_the_filter_of_addresses_still_holds(net: Network) -> None:
    apply("web1", {**WEB1, "bandwidth": {"egress": "10M"}})
    with net.at("host"):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", 4000))
    server.settimeout(0.3)
    with net.at("web1"):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT: any source
    client.bind(("10.36.0.99", 0))
    client.sendto(b"forged", (HOST4, 4000))
    with pytest.raises(TimeoutError):
        server.recv(64)


def test_the_second_run_changes_nothing(net: Network) -> None:
    apply("web1", {**WEB1, "mtu": 9000, "bandwidth": {"ingress": "64K", "egress": "34G"}})
    assert apply("web1", {"bandwidth": {"ingress": "64000", "egress": "34000M"}}) == []


def test_removal_leaves_nothing(net: Network) -> None:
    before = world()
    apply("web1", {**WEB1, "bandwidth": {"ingress": "20M", "egress": "10M"}})
    assert host.has_link("jb1")
    apply("web1", {"bandwidth": {}})
    assert not host.has_link("jb1")
    apply("web1", {"bandwidth": {"egress": "10M"}})
    apply("web1", {"mode": "none", "addresses": [], "bandwidth": {}})
    assert not host.has_link("jb1")
    apply("web1", {**WEB1, "bandwidth": {"egress": "10M"}})
    apply("web1", state="absent")
    assert world() == before


DAMAGE = {
    "the limit of what it receives is gone": lambda c: c.unlimit(host.link("jl1")),
    "the limit of what it sends is gone": lambda c: c.unlimit(host.link("jb1")),
    "the detour is gone": lambda c: c.stop_redirecting(host.link("jl1")),
    "the shaper is gone": lambda c: c.delete(host.link("jb1")),
    "the shaper is down": lambda c: c.set_link(host.link("jb1"), up=False),
    "the wire is gone": lambda c: c.delete(host.link("jl1")),
    "the limit is another": lambda c: c.limit(host.link("jl1"), rtnetlink.TokenBucket(99999, 99999), burst=99999),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_it_is_seen_and_put_back_when(net: Network, damage: str) -> None:
    apply("web1", {**WEB1, "bandwidth": {"ingress": "20M", "egress": "10M"}})
    whole = world()
    with links.Connection() as connection:
        DAMAGE[damage](connection)
    assert apply("web1")
    assert apply("web1") == []
    assert world() == whole
    assert _bits_a_second(net, "web1", "outside", OUTSIDE4, BRIEFLY) < 12e6
    assert _bits_a_second(net, "outside", "web1", JAIL4, BRIEFLY) < 24e6


def test_a_link_of_the_shapers_name_that_is_not_ours_stays(net: Network) -> None:
    with links.Connection() as connection:
        connection.create_ifb("jb1")
        connection.set_link(host.link("jb1"), alias="the administrator's")
    with pytest.raises(EngineError, match="the host has a link jb1 that is not this jail's"):
        apply("web1", {**WEB1, "bandwidth": {"egress": "10M"}})
    assert host.link("jb1").alias == "the administrator's"


@pytest.mark.parametrize("mode", ["none", "host"])
def test_a_mode_without_a_link_is_refused(net: Network, mode: str) -> None:
    with pytest.raises(
        DocumentError, match=rf"ip\.bandwidth: mode {mode} has no link of the jail's own; use mode: vnet"
    ):
        apply("web1", {"mode": mode, "bandwidth": {"egress": "10M"}})
