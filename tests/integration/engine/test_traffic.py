# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a jail has received and sent is counted on the host, from the jail's point of view."""

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import report
from ansible_collections.hosting.jails.plugins.module_utils._kernel import links
from ansible_collections.hosting.jails.tests.integration.engine import network_host as host
from ansible_collections.hosting.jails.tests.integration.engine.firewall_host import HOST4, WEB1, WEB2, Network, apply

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("private_state")


@pytest.fixture
def net(private_state: None) -> Network:
    return Network()


def _traffic(*names: str) -> list[dict[str, int] | None]:
    return [row["network"]["traffic"] for row in report.describe_all(names, ("network",))]


@pytest.mark.parametrize("others", [[], ["web2"]])
def test_what_a_jail_sends_counts_as_sent(net: Network, others: list[str]) -> None:
    apply("web1", WEB1)
    apply("web2", WEB2)
    before, *_unused = _traffic("web1", *others)
    with net.client("web1", HOST4, protocol="udp") as client:
        for _unused in range(100):
            client.sendto(bytes(1000), (HOST4, 9))
    after, *_unused = _traffic("web1", *others)
    assert before and after
    assert 100 <= after["sent_packets"] - before["sent_packets"] <= 110
    assert 104200 <= after["sent_bytes"] - before["sent_bytes"] <= 106000
    assert after["received_bytes"] - before["received_bytes"] < 10000


def test_what_it_receives_counts_as_received(net: Network) -> None:
    apply("web1", WEB1)
    (before,) = _traffic("web1")
    with net.client("host", "10.36.0.11", protocol="udp") as client:
        for _unused in range(100):
            client.sendto(bytes(1000), ("10.36.0.11", 9))
    (after,) = _traffic("web1")
    assert before and after
    assert 100 <= after["received_packets"] - before["received_packets"] <= 110
    assert 104200 <= after["received_bytes"] - before["received_bytes"] <= 106000


@pytest.mark.parametrize(
    "ip", [{"mode": "none"}, {"mode": "host"}, {"mode": "shared", "interface": "wan", "addresses": ["192.0.2.53"]}]
)
def test_where_nothing_counts_nothing_is_said(net: Network, ip: dict[str, object]) -> None:
    apply("web1", ip)
    (row,) = report.describe_all(["web1"], ("network", report.TRAFFIC))
    assert row["network"]["traffic"] is None
    assert row["traffic"] is None


def test_a_jail_without_a_network_is_described_like_others(net: Network) -> None:
    apply("web1", {"mode": "host"})
    apply("web2", WEB2)
    with_none, with_one = report.describe_all(["web1", "web2"], ("network",))
    assert with_none["network"].keys() == with_one["network"].keys()
    assert (with_none["network"]["mtu"], with_none["network"]["interface"]) == (None, None)


def test_a_link_of_somebody_else_is_not_counted(net: Network) -> None:
    apply("web1", {"mode": "none"})
    with links.Connection() as connection:
        connection.create_ifb("jl1")
    assert host.has_link("jl1")
    (row,) = report.describe_all(["web1"], (report.TRAFFIC,))
    assert row["traffic"] is None
