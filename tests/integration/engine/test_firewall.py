# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may reach a jail and what it may reach is what its document says, wherever the other one is."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.integration.engine import network_host as host
from ansible_collections.hosting.jails.tests.integration.engine.firewall_host import (
    HOST4,
    HOST6,
    OUTSIDE4,
    OUTSIDE6,
    WEB1,
    WEB2,
    Network,
    apply,
    rules,
    run_nft,
)
from ansible_collections.hosting.jails.tests.integration.jails import PATIENCE

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("private_state")

JAIL1 = {4: "10.36.0.11", 6: "fd00:36::11"}
JAIL2 = {4: "10.36.0.12", 6: "fd00:36::12"}
# Where a jail's peers are, and how it calls them.
PEERS = {"outside": {4: OUTSIDE4, 6: OUTSIDE6}, "host": {4: HOST4, 6: HOST6}, "web2": JAIL2}
PLACES = pytest.mark.parametrize("place", list(PEERS))


@pytest.fixture
def net(private_state: None) -> Network:
    network = Network()
    network.route_back("10.36.0.0/16")
    network.route_back("fd00:36::/32")
    return network


def _web1(**firewall: Any) -> None:
    apply("web1", {**WEB1, "firewall": firewall})
    apply("web2", WEB2)


@PLACES
def test_nothing_reaches_a_jail_that_drops_but_what_its_rules_accept(net: Network, place: str) -> None:
    for family in (4, 6):
        _web1(inbound={"policy": "drop", "rules": [{"protocol": "tcp", "ports": [80, "8000-8010"]}]})
        for port in (80, 81, 8005):
            net.serve("web1", port, family=family)
        net.serve("web1", 80, family=family, protocol="udp")
        assert net.ask(place, JAIL1[family], 80).startswith("web1 ")
        assert net.ask(place, JAIL1[family], 8005).startswith("web1 ")
        assert net.hears_nothing(place, JAIL1[family], 81)
        assert net.hears_nothing(place, JAIL1[family], 80, protocol="udp")


@PLACES
def test_a_jail_reaches_nothing_but_what_its_rules_accept(net: Network, place: str) -> None:
    for family in (4, 6):
        _web1(outbound={"policy": "drop", "rules": [{"protocol": "udp", "ports": [53]}]})
        there = PEERS[place][family]
        for port in (53, 54):
            net.serve(place, port, family=family, protocol="udp", address=there)
        net.serve(place, 53, family=family)
        assert net.ask("web1", there, 53, protocol="udp").startswith(f"{place} ")
        assert net.hears_nothing("web1", there, 54, protocol="udp")
        assert net.hears_nothing("web1", there, 53)


@PLACES
def test_answers_come_back_through_a_closed_door(net: Network, place: str) -> None:
    for family in (4, 6):
        _web1(inbound={"policy": "drop"})
        net.serve(place, 80, family=family)
        net.serve("web1", 80, family=family)
        assert net.ask("web1", PEERS[place][family], 80).startswith(f"{place} ")
        assert net.hears_nothing(place, JAIL1[family], 80)


def test_the_first_rule_that_applies_decides(net: Network) -> None:
    for family in (4, 6):
        everybody = "0.0.0.0/0" if family == 4 else "::/0"
        _web1(
            inbound={
                "policy": "drop",
                "rules": [
                    {"protocol": "tcp", "ports": [25], "action": "drop"},
                    {"from": [PEERS["outside"][family], "198.51.100.0/24", "2001:db8:1::/48"]},
                    {"protocol": "tcp", "ports": [443], "from": [everybody]},
                ],
            }
        )
        for port in (25, 80, 443):
            net.serve("web1", port, family=family)
        assert net.hears_nothing("outside", JAIL1[family], 25)
        assert net.ask("outside", JAIL1[family], 80).startswith("web1 ")
        assert net.hears_nothing("web2", JAIL1[family], 80)
        assert net.ask("web2", JAIL1[family], 443).startswith("web1 ")


def test_a_jail_may_be_kept_from_some_networks_only(net: Network) -> None:
    for family in (4, 6):
        _web1(outbound={"rules": [{"to": ["10.36.0.0/24", "fd00:36::/64"], "action": "reject"}]})
        net.serve("outside", 80, family=family)
        net.serve("web2", 80, family=family)
        assert net.ask("web1", PEERS["outside"][family], 80).startswith("outside ")
        assert net.ask("web1", JAIL2[family], 80) == "refused"


@PLACES
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_who_is_rejected_is_told_at_once(net: Network, place: str, protocol: str) -> None:
    for family in (4, 6):
        _web1(inbound={"policy": "reject"}, outbound={"policy": "reject"})
        net.serve("web1", 80, family=family, protocol=protocol)
        net.serve(place, 80, family=family, protocol=protocol)
        assert net.ask(place, JAIL1[family], 80, protocol=protocol) in ("refused", "forbidden")
        assert net.ask("web1", PEERS[place][family], 80, protocol=protocol) == "refused"


def test_between_two_jails_both_have_to_agree(net: Network) -> None:
    for family in (4, 6):
        apply(
            "web1",
            {**WEB1, "firewall": {"outbound": {"policy": "drop", "rules": [{"protocol": "tcp", "ports": [80]}]}}},
        )
        apply(
            "web2", {**WEB2, "firewall": {"inbound": {"policy": "drop", "rules": [{"protocol": "tcp", "ports": [81]}]}}}
        )
        for port in (80, 81):
            net.serve("web2", port, family=family)
            assert net.hears_nothing("web1", JAIL2[family], port)
        apply("web2", {"firewall": {"inbound": {"policy": "drop", "rules": [{"protocol": "tcp", "ports": [80]}]}}})
        assert net.ask("web1", JAIL2[family], 80).startswith("web2 ")


@pytest.mark.parametrize("place", ["outside", "host", "web2", "web1"])
def test_a_forward_is_judged_by_the_port_of_the_jail(net: Network, place: str) -> None:
    for family in (4, 6):
        forwards = [{"port": 8080, "to": 80}, {"port": 8081, "to": 81}]
        inbound = {"policy": "drop", "rules": [{"protocol": "tcp", "ports": [80]}]}
        apply("web1", {**WEB1, "forwards": forwards, "firewall": {"inbound": inbound}})
        apply("web2", WEB2)
        for port in (80, 81):
            net.serve("web1", port, family=family)
        assert net.ask(place, PEERS["host"][family], 8080).startswith("web1 ")
        assert net.hears_nothing(place, PEERS["host"][family], 8081)


def test_neighbours_are_found_and_pings_pass_by_rule_only(net: Network) -> None:
    for family in (4, 6):
        _web1(inbound={"policy": "drop"}, outbound={"policy": "drop"})
        assert not host.answers(JAIL1[family], seconds=0.4)
        apply("web1", {"firewall": {"inbound": {"policy": "drop", "rules": [{"protocol": "icmp"}]}}})
        assert host.answers(JAIL1[family])


def test_a_jail_talks_to_itself_whatever_its_rules_are(net: Network) -> None:
    _web1(inbound={"policy": "drop"}, outbound={"policy": "drop"})
    net.serve("web1", 80)
    assert net.ask("web1", "127.0.0.1", 80) == "web1 127.0.0.1"
    assert net.ask("web1", JAIL1[4], 80) == f"web1 {JAIL1[4]}"


def test_rules_change_at_once_and_spare_what_is_connected(net: Network) -> None:
    """The kernel knows of connections from when the first jail has rules; those from before are new to it."""
    _web1(outbound={"policy": "drop"})
    with net.at("web1"):
        server = socket.create_server(("", 80))
    with net.client("outside", JAIL1[4]) as client:
        client.connect((JAIL1[4], 80))
        serving, _unused = server.accept()
        serving.settimeout(PATIENCE)
        apply("web1", {"firewall": {"inbound": {"policy": "drop"}}})
        assert net.hears_nothing("outside", JAIL1[4], 80)
        client.sendall(b"still here")
        assert serving.recv(16) == b"still here"
        apply("web1", {"firewall": {}})
        assert rules() == []
        client.sendall(b"and now")
        assert serving.recv(16) == b"and now"


def test_the_rules_of_a_jail_are_its_own(net: Network) -> None:
    _web1(inbound={"policy": "drop"})
    net.serve("web2", 80)
    assert net.ask("outside", JAIL2[4], 80) == f"web2 {OUTSIDE4}"
    net.serve("host", 80)
    assert net.ask("outside", HOST4, 80) == f"host {OUTSIDE4}"


def test_an_address_that_is_added_is_guarded_before_it_answers(net: Network) -> None:
    _web1(inbound={"policy": "drop"})
    net.serve("web1", 80)
    actions = apply("web1", {"addresses": [*WEB1["addresses"], "10.36.0.99"]})
    kinds = [action.partition(" ")[0] for action in actions]
    assert kinds.index("firewall.change") < kinds.index("network.change")
    for place in PEERS:
        assert net.hears_nothing(place, "10.36.0.99", 80)


def test_a_document_of_many_rules_is_one_transaction(net: Network) -> None:
    many = [{"protocol": "tcp", "ports": [port], "from": [f"198.51.100.{port % 250}/32"]} for port in range(1, 301)]
    _web1(inbound={"policy": "drop", "rules": [*many, {"protocol": "tcp", "ports": [80]}]})
    net.serve("web1", 80)
    assert net.ask("outside", JAIL1[4], 80) == f"web1 {OUTSIDE4}"
    assert apply("web1") == []


REPLACED = {
    "a rule of the jail was deleted": ["flush chain inet hosting_jails inbound-web1"],
    "a rule was put before those of the jail": ["insert rule inet hosting_jails inbound-web1 accept"],
    "everything was flushed": ["flush ruleset"],
}


@pytest.mark.parametrize("damage", REPLACED)
def test_the_next_run_closes_the_door_again_when(net: Network, damage: str) -> None:
    _web1(inbound={"policy": "drop"})
    net.serve("web1", 80)
    run_nft(*REPLACED[damage])
    assert net.ask("outside", JAIL1[4], 80) == f"web1 {OUTSIDE4}"
    assert apply("web1")
    assert net.hears_nothing("outside", JAIL1[4], 80)


# Mode shared: the jail's sockets are the host's, but for their addresses


SHARED = {"mode": "shared", "interface": "wan", "addresses": ["192.0.2.53", "2001:db8::53"]}
SHARED_JAIL = {4: "192.0.2.53", 6: "2001:db8::53"}


@pytest.mark.parametrize("place", ["outside", "web2"])
def test_a_shared_jail_is_reached_by_its_rules_only(net: Network, place: str) -> None:
    for family in (4, 6):
        apply(
            "old1",
            {**SHARED, "firewall": {"inbound": {"policy": "drop", "rules": [{"protocol": "tcp", "ports": [80]}]}}},
        )
        apply("web2", WEB2)
        for port in (80, 81):
            net.serve("host", port, family=family, address=SHARED_JAIL[family])
            net.serve("host", port, family=family, address=PEERS["host"][family])
        assert net.ask(place, SHARED_JAIL[family], 80).startswith("host ")
        assert net.hears_nothing(place, SHARED_JAIL[family], 81)
        assert net.ask(place, PEERS["host"][family], 81).startswith("host ")


def test_the_host_reaches_a_shared_jail_as_the_jail_itself_would(net: Network) -> None:
    """To an address of his own the kernel connects from that very address."""
    apply("old1", {**SHARED, "firewall": {"inbound": {"policy": "drop"}}})
    net.serve("host", 80, address=SHARED_JAIL[4])
    assert net.ask("host", SHARED_JAIL[4], 80) == f"host {SHARED_JAIL[4]}"
    with net.client("host", SHARED_JAIL[4]) as client:
        client.bind((HOST4, 0))
        client.settimeout(0.4)
        with pytest.raises(TimeoutError):
            client.connect((SHARED_JAIL[4], 80))


@PLACES
def test_a_shared_jail_reaches_what_its_rules_say(net: Network, place: str) -> None:
    for family in (4, 6):
        apply(
            "old1",
            {**SHARED, "firewall": {"outbound": {"policy": "drop", "rules": [{"protocol": "tcp", "ports": [80]}]}}},
        )
        apply("web2", WEB2)
        for port in (80, 81):
            net.serve(place, port, family=family, address=PEERS[place][family])
        answers = {}
        for port in (80, 81):
            with net.client("host", SHARED_JAIL[family]) as client:
                client.bind((SHARED_JAIL[family], 0))
                client.settimeout(PATIENCE if port == 80 else 1.0)
                try:
                    client.connect((PEERS[place][family], port))
                    client.send(b"?")
                    answers[port] = client.recv(64).decode()
                except TimeoutError:
                    answers[port] = ""
        assert answers == {80: f"{place} {SHARED_JAIL[family]}", 81: ""}


def test_a_shared_jail_talks_to_itself_whatever_its_rules_are(net: Network) -> None:
    apply("old1", {**SHARED, "firewall": {"inbound": {"policy": "drop"}, "outbound": {"policy": "drop"}}})
    net.serve("host", 80, address=SHARED_JAIL[4])
    with net.client("host", SHARED_JAIL[4]) as client:
        client.bind((SHARED_JAIL[4], 0))
        client.connect((SHARED_JAIL[4], 80))
        client.send(b"?")
        assert client.recv(64).decode() == f"host {SHARED_JAIL[4]}"
