# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports of the host lead to jails, for everybody who may ask, and for nobody any more when they are taken back."""

from __future__ import annotations

import socket

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import firewall_conflicts
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._kernel import links, nftables, sysctls
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
    world,
)
from ansible_collections.hosting.jails.tests.integration.jails import PATIENCE

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("private_state")

BY_FAMILY = {4: HOST4, 6: HOST6}
TO_80 = [{"port": 8080, "to": 80}]


@pytest.fixture
def net(private_state: None) -> Network:
    return Network()


# Who is led where


@pytest.mark.parametrize("place", ["outside", "host", "web2", "web1"])
def test_a_port_of_the_host_leads_to_the_jail(net: Network, place: str) -> None:
    apply("web1", {**WEB1, "forwards": [{**TO_80[0], "protocol": protocol} for protocol in ("tcp", "udp")]})
    apply("web2", WEB2)
    for protocol in ("tcp", "udp"):
        for family, address in BY_FAMILY.items():
            net.serve("web1", 80, protocol=protocol, family=family)
            assert net.ask(place, address, 8080, protocol=protocol).startswith("web1 ")


@pytest.mark.parametrize(("to", "source"), [(HOST4, OUTSIDE4), (HOST6, OUTSIDE6)])
def test_the_jail_sees_who_asks(net: Network, to: str, source: str) -> None:
    apply("web1", {**WEB1, "forwards": TO_80})
    net.serve("web1", 80, family=6 if ":" in to else 4)
    assert net.ask("outside", to, 8080) == f"web1 {source}"


def test_the_host_is_found_at_the_gateway_of_a_jail(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": TO_80})
    apply("web2", WEB2)
    net.serve("web1", 80)
    assert net.ask("web2", "169.254.1.1", 8080) == "web1 10.36.0.12"


def test_ranges_keep_their_numbers_or_get_others(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": [{"port": "8000-8010"}, {"port": "9000-9010", "to": 80}]})
    for port in (8000, 8010, 80, 90):
        net.serve("web1", port)
    assert [net.ask("outside", HOST4, port) for port in (8000, 8010, 9000, 9010)] == [f"web1 {OUTSIDE4}"] * 4
    assert net.ask("outside", HOST4, 7999) == net.ask("outside", HOST4, 9011) == "refused"


def test_one_port_leads_to_two_jails_by_the_address_that_is_asked(net: Network) -> None:
    with links.Connection() as connection:
        connection.add_address(host.link("wan"), "192.0.2.7/32")
    apply("web1", {**WEB1, "forwards": [{"port": 80, "host_address": HOST4}, {"port": 81, "host_address": HOST6}]})
    apply("web2", {**WEB2, "forwards": [{"port": "80-90", "host_address": "192.0.2.7"}]})
    net.serve("web1", 80)
    net.serve("web1", 81, family=6)
    net.serve("web2", 80)
    assert net.ask("outside", HOST4, 80) == f"web1 {OUTSIDE4}"
    assert net.ask("outside", "192.0.2.7", 80) == f"web2 {OUTSIDE4}"
    assert net.ask("outside", HOST6, 81) == f"web1 {OUTSIDE6}"
    assert net.ask("host", HOST4, 81) == "refused"


def test_any_address_of_the_jail_can_be_meant(net: Network) -> None:
    addresses = [*WEB1["addresses"], "10.36.0.13"]
    apply("web1", {**WEB1, "addresses": addresses, "forwards": [{"port": 8080, "to": 80, "address": "10.36.0.13"}]})
    net.serve("web1", 80, address="10.36.0.13")
    assert net.ask("outside", HOST4, 8080) == f"web1 {OUTSIDE4}"
    assert net.ask("outside", HOST6, 8080) == "refused"


def test_loopback_of_the_host_stays_its_own(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": TO_80})
    net.serve("web1", 80)
    net.serve("host", 8080, address="127.0.0.1")
    assert net.ask("host", "127.0.0.1", 8080) == "host 127.0.0.1"


def test_ports_of_other_machines_are_not_taken(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": TO_80})
    net.route_back("10.36.0.0/16")
    net.serve("outside", 8080)
    assert net.ask("web1", OUTSIDE4, 8080) == "outside 10.36.0.11"
    assert net.ask("host", OUTSIDE4, 8080) == f"outside {HOST4}"


def test_a_forward_leads_to_a_jail_that_shares_the_hosts_stack(net: Network) -> None:
    apply(
        "old1",
        {"mode": "shared", "interface": "wan", "addresses": ["192.0.2.53"], "forwards": [{"port": 8080, "to": 80}]},
    )
    net.serve("host", 80, address="192.0.2.53")
    assert net.ask("outside", HOST4, 8080) == f"host {OUTSIDE4}"
    assert net.ask("host", HOST4, 8080).startswith("host ")


@pytest.mark.parametrize("shared_first", [True, False])
def test_no_forward_takes_the_connections_of_a_jail_that_shares_the_hosts_stack(
    net: Network, shared_first: bool
) -> None:
    def define_shared() -> None:
        apply("old1", {"mode": "shared", "interface": "wan", "addresses": ["192.0.2.53"]})

    def define_forward() -> None:
        apply("web1", {**WEB1, "forwards": [{"port": 80}]})

    for define in (define_shared, define_forward) if shared_first else (define_forward, define_shared):
        define()
    net.serve("web1", 80)
    net.serve("host", 80, address="192.0.2.53")
    assert net.ask("outside", HOST4, 80).startswith("web1 ")
    assert net.ask("outside", "192.0.2.53", 80).startswith("host ")
    assert apply("old1") == apply("web1") == []
    apply("old1", {"addresses": ["192.0.2.54"]})
    net.serve("host", 80, address="192.0.2.54")
    assert net.ask("outside", "192.0.2.54", 80).startswith("host ")
    apply("web1", {"forwards": []})
    assert rules() == [], "without forwards there is nothing to keep an address from"
    assert apply("old1") == apply("web1") == []


# Changes


def test_forwards_change_while_connections_live(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": TO_80})
    with net.at("web1"):
        server = socket.create_server(("", 80))
    with net.client("outside", HOST4) as client:
        client.connect((HOST4, 8080))
        serving, _unused = server.accept()
        serving.settimeout(PATIENCE)
        client.settimeout(PATIENCE)
        for entries in ([*TO_80, {"port": 8443, "to": 443}], [{"port": 8443, "to": 443}], TO_80):
            assert apply("web1", {"forwards": entries})
            client.sendall(b"there")
            assert serving.recv(16) == b"there"
            serving.sendall(b"back")
            assert client.recv(16) == b"back"


def test_no_connection_fails_while_another_jail_changes(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": TO_80})
    net.serve("web1", 80)
    for number in range(10):
        apply("web2", {**WEB2, "forwards": [{"port": 9000 + number}], "firewall": {"inbound": {"policy": "drop"}}})
        assert net.ask("outside", HOST4, 8080) == f"web1 {OUTSIDE4}"


def test_a_forward_that_moves_to_another_jail_follows(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": TO_80})
    apply("web2", WEB2)
    net.serve("web2", 80)
    apply("web1", {"forwards": []})
    apply("web2", {"forwards": TO_80})
    assert net.ask("outside", HOST4, 8080) == f"web2 {OUTSIDE4}"


def test_forwards_follow_the_addresses_of_the_jail(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": TO_80})
    net.serve("web1", 80)
    apply("web1", {"addresses": ["10.36.0.77"]})
    assert net.ask("outside", HOST4, 8080) == f"web1 {OUTSIDE4}"


def test_the_second_run_changes_nothing(net: Network) -> None:
    ip = {**WEB1, "forwards": [*TO_80, {"port": "53-60", "protocol": "udp", "host_address": HOST6}], "masquerade": True}
    assert apply("web1", ip)
    assert apply("web1", ip) == apply("web1") == []


def test_check_mode_changes_nothing_and_says_what_would_be(net: Network) -> None:
    apply("web1", WEB1)
    before = world()
    would = apply("web1", {"forwards": TO_80}, check=True)
    assert world() == before
    assert apply("web1", {"forwards": TO_80}) == would


# Removal and repair


def test_without_the_forward_nobody_answers(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": TO_80})
    net.serve("web1", 80)
    assert net.ask("outside", HOST4, 8080)
    assert apply("web1", {"forwards": []})
    assert net.ask("outside", HOST4, 8080) == "refused"
    assert rules() == []


def test_removal_leaves_nothing_and_touches_nobody_elses_rules(net: Network) -> None:
    run_nft("add table inet theirs", "add chain inet theirs c { type filter hook forward priority 0 ; }")
    before = world()
    apply("web1", {**WEB1, "forwards": TO_80, "masquerade": True, "firewall": {"inbound": {"policy": "drop"}}})
    apply("web2", {**WEB2, "forwards": [{"port": 81}]})
    assert world() != before
    apply("web2", state="absent")
    apply("web1", state="absent")
    assert world() == before


FLUSHED = {
    "everything was flushed": ["flush ruleset"],
    "our table was deleted": ["delete table inet hosting_jails"],
    "our table was flushed": ["flush table inet hosting_jails"],
    "a chain was flushed": ["flush chain inet hosting_jails forwards"],
    "a map was flushed": ["flush map inet hosting_jails forward4"],
    "an element was added": ['add element inet hosting_jails masquerade4 { 10.9.9.9 comment "web1" }'],
    "a rule was added": ["insert rule inet hosting_jails nat_prerouting return"],
}


@pytest.mark.parametrize("damage", FLUSHED)
def test_the_next_run_repairs_it_when(net: Network, damage: str) -> None:
    apply("web1", {**WEB1, "forwards": TO_80, "masquerade": True})
    apply("web2", {**WEB2, "forwards": [{"port": 9090, "to": 80}], "firewall": {"inbound": {"policy": "drop"}}})
    whole = sorted(map(repr, rules()))
    run_nft(*FLUSHED[damage])
    assert apply("web1", check=True)
    assert apply("web1")
    if damage == "a map was flushed":
        assert apply("web2"), "what is not the table itself is repaired jail by jail"
    assert apply("web1") == apply("web2") == []
    assert sorted(map(repr, rules())) == whole


def test_what_a_jail_has_left_that_is_no_more_goes_with_the_next_change(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": TO_80})
    nftables.apply(
        [
            {"add": {"chain": {"family": "inet", "table": "hosting_jails", "name": "inbound-gone"}}},
            {
                "add": {
                    "element": {
                        "family": "inet",
                        "table": "hosting_jails",
                        "name": "inbound",
                        "elem": [[{"elem": {"val": "jl9", "comment": "gone"}}, {"jump": {"target": "inbound-gone"}}]],
                    }
                }
            },
        ],
        target="a jail that was killed in its removal",
    )
    assert apply("web1", {"forwards": [{"port": 8081, "to": 80}]})
    assert "gone" not in repr(rules())


# Refusals


def test_a_port_that_another_jail_has_is_refused(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": TO_80})
    with pytest.raises(EngineError) as refusal:
        apply("web2", {**WEB2, "forwards": [{"port": 7000}, {"port": "8000-8100"}]})
    assert str(refusal.value) == (
        "jail web2: ip.forwards[1].port: tcp port 8000-8100 of the host is forwarded to jail web1; "
        "choose another port, or the address of the host by host_address"
    )
    assert not host.has_link("jl2")


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("address", ["", HOST4])
def test_a_port_that_a_program_of_the_host_listens_on_is_refused(net: Network, address: str, protocol: str) -> None:
    server = net.serve("host", 22, address=address, protocol=protocol)
    with pytest.raises(
        EngineError, match=rf"forwards\[0\]\.port: {protocol} port 22 of the host is what .* \(pid \d+\) list"
    ):
        apply("web1", {**WEB1, "forwards": [{"port": 22, "protocol": protocol}]})
    server.close()


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_program_that_listens_elsewhere_is_in_nobodys_way(net: Network, protocol: str) -> None:
    net.serve("host", 8080, address="127.0.0.1", protocol=protocol)
    net.serve("host", 8080, address=HOST6, family=6, protocol=protocol)
    assert apply("web1", {**WEB1, "forwards": [{"port": 8080, "protocol": protocol, "host_address": HOST4}]})


def test_a_program_that_listens_later_keeps_no_jail_from_being_repaired(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": TO_80})
    net.serve("host", 8080)
    run_nft("flush ruleset")
    assert apply("web1") == ["firewall.change web1: the table is gone"]


@pytest.mark.parametrize(
    ("sysctl", "named"),
    [("net/ipv4/ip_forward", "net.ipv4.ip_forward"), ("net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding")],
)
def test_a_host_that_forwards_nothing_is_said_to(net: Network, sysctl: str, named: str) -> None:
    sysctls.write(sysctl, "0")
    for ip in ({"forwards": TO_80}, {"masquerade": True}):
        with pytest.raises(EngineError, match=rf"packets of other machines; set {named} to 1; the role"):
            apply("web1", {**WEB1, **ip})


def test_a_single_link_that_forwards_is_enough(net: Network) -> None:
    sysctls.write("net/ipv4/ip_forward", "0")
    sysctls.write("net/ipv4/conf/wan/forwarding", "1")
    apply("web1", {"mode": "vnet", "addresses": ["10.36.0.11"], "forwards": TO_80})
    net.serve("web1", 80)
    assert net.ask("outside", HOST4, 8080) == f"web1 {OUTSIDE4}"


def test_without_nft_the_package_is_named_before_anything_is_done(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nftables, "is_available", lambda: False)
    before = world()
    for check in (True, False):
        with pytest.raises(EngineError) as refusal:
            apply("web1", {**WEB1, "forwards": TO_80}, check=check)
    assert str(refusal.value) == (
        "jail web1: ip.forwards: nft is not installed on this host; install the package nftables; the role "
        "hosting.jails.host does it"
    )
    assert world() == before


def test_a_jail_without_rules_starts_no_nft(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    apply("web2", {**WEB2, "forwards": TO_80})
    monkeypatch.setattr(nftables, "_run", None)
    monkeypatch.setattr(firewall_conflicts, "refuse", None)
    apply("web1", WEB1)
    assert apply("web1") == []
    apply("web1", state="absent")


# Masquerading


@pytest.mark.parametrize(("outside", "seen"), [(OUTSIDE4, HOST4), (OUTSIDE6, HOST6)])
def test_a_private_address_leaves_as_the_hosts(net: Network, outside: str, seen: str) -> None:
    apply("web1", {**WEB1, "masquerade": True})
    for protocol in ("tcp", "udp"):
        net.serve("outside", 7000, family=6 if ":" in outside else 4, protocol=protocol)
        assert net.ask("web1", outside, 7000, protocol=protocol) == f"outside {seen}"
    apply("web1", {"masquerade": False})
    assert net.hears_nothing("web1", outside, 7000)


def test_jails_and_the_host_see_a_private_address_as_it_is(net: Network) -> None:
    apply("web1", {**WEB1, "masquerade": True})
    apply("web2", WEB2)
    net.serve("web2", 80)
    net.serve("host", 81)
    assert net.ask("web1", "10.36.0.12", 80) == "web2 10.36.0.11"
    assert net.ask("web1", HOST4, 81) == "host 10.36.0.11"


def test_an_address_that_the_world_can_answer_to_is_left_as_it_is(net: Network) -> None:
    apply("web1", {"mode": "vnet", "addresses": ["8.8.4.4"], "masquerade": True})
    net.route_back("8.8.4.4/32")
    net.serve("outside", 7000)
    assert net.ask("web1", OUTSIDE4, 7000) == "outside 8.8.4.4"
