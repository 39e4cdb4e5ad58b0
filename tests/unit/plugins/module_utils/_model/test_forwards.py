# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.document import check, effective, normalise
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.forwards import forwards
from ansible_collections.hosting.jails.plugins.module_utils._model.ports import bounds
from ansible_collections.hosting.jails.plugins.module_utils._model.rates import format_rate, parse_rate
from hypothesis import given
from hypothesis import strategies as st

BOTH = {"mode": "vnet", "addresses": ["10.0.0.1", "10.0.0.2", "fd00::1"]}


def canonical(ip):
    return normalise({"ip": ip}, jail="web1")["ip"]


def found(*entries, **ip):
    document = normalise({"ip": {**BOTH, **ip, "forwards": list(entries)}}, jail="web1")
    assert check(document) == []
    return [
        (each.family, each.host_address, each.protocol, each.first, each.last, each.address, each.to)
        for each in forwards(document)
    ]


def complaints(**ip):
    return [str(error) for error in check(normalise({"ip": {**BOTH, **ip}}, jail="web1"))]


# Values


@pytest.mark.parametrize(
    ("written", "stored"), [(80, 80), ("80", 80), ("8000-8010", "8000-8010"), ("80-80", 80), ("1-65535", "1-65535")]
)
def test_ports_have_one_spelling(written, stored):
    assert canonical({**BOTH, "forwards": [{"port": written}]})["forwards"] == [{"port": stored}]


@pytest.mark.parametrize(
    "wrong", [0, 65536, "0", "80-", "-80", "90-80", "80-65536", "http", 1.5, True, [80], "80 - 90"]
)
def test_what_is_no_port_is_refused(wrong):
    with pytest.raises(DocumentError, match=r"ip\.forwards\[0\]\.port: .*; write a number from 1 to 65535"):
        canonical({**BOTH, "forwards": [{"port": wrong}]})


@pytest.mark.parametrize(
    ("written", "stored"),
    [("10M", "10M"), ("10000k", "10M"), (10000000, "10M"), ("1500K", "1500K"), ("64000", "64K"), ("34G", "34G")],
)
def test_rates_are_powers_of_ten(written, stored):
    assert canonical({**BOTH, "bandwidth": {"ingress": written}})["bandwidth"] == {"ingress": stored}


@pytest.mark.parametrize("wrong", [0, -1, "63K", "35G", "1T", "10Mbit", "1.5M", "", True, "10 M", 10**30])
def test_what_is_no_rate_is_refused(wrong):
    with pytest.raises(DocumentError, match="; write bits a second with a suffix K, M or G of 1,000s"):
        parse_rate(wrong)


@given(st.integers(64_000, 34_000_000_000))
def test_a_rate_is_read_as_it_is_written(rate):
    assert parse_rate(format_rate(rate)) == rate


def test_a_network_and_an_address_are_peers():
    rules = [{"from": ["10.0.0.0/8", "192.0.2.1", "FD00::/8"]}]
    stored = canonical({**BOTH, "firewall": {"inbound": {"rules": rules}}})["firewall"]["inbound"]["rules"]
    assert stored == [{"from": ["10.0.0.0/8", "192.0.2.1/32", "fd00::/8"]}]


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "web2", 10, "10.0.0.0/33"])
def test_what_is_no_peer_is_refused(wrong):
    with pytest.raises(DocumentError, match=r"ip\.firewall\.outbound\.rules\[0\]\.to\[0\]: "):
        canonical({**BOTH, "firewall": {"outbound": {"rules": [{"to": [wrong]}]}}})


# Forwards


def test_a_forward_is_for_each_family_of_the_jail():
    assert found({"port": 8080, "to": 80}) == [
        (4, "", "tcp", 8080, 8080, "10.0.0.1", 80),
        (6, "", "tcp", 8080, 8080, "fd00::1", 80),
    ]


def test_an_address_decides_the_family():
    assert found({"port": 53, "protocol": "udp", "address": "10.0.0.2"}) == [(4, "", "udp", 53, 53, "10.0.0.2", 53)]
    assert found({"port": 53, "host_address": "2001:db8::1"}) == [(6, "2001:db8::1", "tcp", 53, 53, "fd00::1", 53)]


def test_a_range_is_as_long_on_both_sides():
    assert found({"port": "8000-8010", "to": 9000, "address": "10.0.0.1"}) == [
        (4, "", "tcp", 8000, 8010, "10.0.0.1", 9000)
    ]


def test_a_document_without_forwards_has_none():
    assert forwards({"name": "web1"}) == []
    assert forwards({"name": "web1", "ip": {"mode": "host"}}) == []


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ([{"port": 80, "address": "10.0.0.3"}], "[0].address: 10.0.0.3 is no address of the jail"),
        ([{"port": 80, "host_address": "10.0.0.1"}], "[0].host_address: 10.0.0.1 is the jail's own"),
        (
            [{"port": 80, "host_address": "192.0.2.1", "address": "fd00::1"}],
            "[0].host_address: what comes to 192.0.2.1 cannot go to the jail, which has no such address",
        ),
        ([{"port": "60000-61000", "to": 65000}], "[0].to: leads beyond the last port; write at most 64535"),
        ([{"port": "1000-3000", "to": 4000}], "[0].to: a range of 2001 ports keeps its numbers"),
        ([{"port": 80}, {"port": 80, "to": 81}], "[1].port: is forwarded by ip.forwards[0] already"),
        ([{"port": "70-90"}, {"port": 80, "host_address": "192.0.2.1"}], "[1].port: is forwarded by ip.forwards[0]"),
    ],
)
def test_forwards_that_cannot_be_are_refused(entries, complaint):
    (only,) = complaints(forwards=entries)
    assert f"jail web1: ip.forwards{complaint}" in only


@pytest.mark.parametrize(
    "entries",
    [
        [{"port": 53}, {"port": 53, "protocol": "udp"}],
        [{"port": 80, "host_address": "192.0.2.1"}, {"port": 80, "host_address": "192.0.2.2"}],
        [{"port": 80, "address": "10.0.0.1"}, {"port": 80, "address": "fd00::1"}],
        [{"port": "1000-3000"}],
        [{"port": "1000-2023", "to": 5000}],
    ],
)
def test_forwards_that_do_not_meet_are_accepted(entries):
    assert complaints(forwards=entries) == []


@given(st.integers(1, 65535), st.integers(0, 20), st.integers(1, 65535), st.integers(0, 20))
def test_two_forwards_overlap_when_they_share_a_port(first, more, other, others):
    ends = min(first + more, 65535), min(other + others, 65535)
    document = {
        "name": "web1",
        "ip": {**BOTH, "forwards": [{"port": f"{first}-{ends[0]}"}, {"port": f"{other}-{ends[1]}"}]},
    }
    one, two = forwards(normalise(document, jail="web1"))[::2]
    shared = set(range(first, ends[0] + 1)) & set(range(other, ends[1] + 1))
    assert one.overlaps(two) == two.overlaps(one) == bool(shared)
    assert bounds(f"{first}-{ends[0]}") == (first, ends[0])


# Modes and rules


@pytest.mark.parametrize("mode", ["none", "host"])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("forwards", [{"port": 80}]),
        ("masquerade", True),
        ("firewall", {"inbound": {"policy": "drop"}}),
        ("bandwidth", {"egress": "10M"}),
    ],
)
def test_a_mode_whose_packets_are_not_the_jails_is_refused(mode, option, value):
    (only,) = complaints(mode=mode, addresses=[], **{option: value})
    assert only.startswith(f"jail web1: ip.{option}: mode {mode} ")
    assert only.endswith(f"; use mode: vnet, or clear {option}")


@pytest.mark.parametrize("mode", ["none", "host"])
def test_what_says_nothing_suits_every_mode(mode):
    firewall = {"inbound": {"policy": "accept", "rules": []}}
    assert complaints(mode=mode, addresses=[], forwards=[], masquerade=False, firewall=firewall, bandwidth={}) == []


@pytest.mark.parametrize("rule", [{"ports": [80]}, {"ports": [80], "protocol": "icmp"}])
def test_ports_need_a_protocol_that_has_ports(rule):
    (only,) = complaints(firewall={"inbound": {"rules": [{}, rule]}})
    assert only.startswith("jail web1: ip.firewall.inbound.rules[1].ports: need a protocol that has ports; say ")


def test_a_jail_that_never_said_otherwise_is_open():
    ip = effective({"name": "web1", "ip": BOTH})["ip"]
    nothing = {"policy": "accept", "rules": []}
    assert (ip["forwards"], ip["masquerade"], ip["bandwidth"]) == ([], False, {})
    assert ip["firewall"] == {"inbound": nothing, "outbound": nothing}
