# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from itertools import islice

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.document import check, normalise
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.fleet import parse_fleet
from ansible_collections.hosting.jails.plugins.module_utils._model.place import Place
from ansible_collections.hosting.jails.plugins.module_utils._model.pools import HOST, Pool, answer, request_of
from hypothesis import given
from hypothesis import strategies as st

ROUTED = {"mode": "vnet"}
BRIDGED = {"mode": "vnet", "bridge": "br0"}


def pools(*entries):
    parsed = HOST.parse({"address_pools": list(entries)}, Place(""))
    return [Pool(entry) for entry in parsed["address_pools"]]


def free(addresses, *reserved, taken=(), on_wire=False, count=20):
    [pool] = pools({"addresses": addresses, "reserved": list(reserved)})
    return [pool.address(number, on_wire=on_wire) for number in islice(pool.free(set(taken)), count)]


def chosen(addresses, pool_list, *, ip=None, stored=None):
    """What a jail gets, new addresses as their family and the place that asks."""
    request = request_of("web1", Place("web1"), {**(ip or ROUTED), "addresses": addresses}, stored or {}, pool_list)
    return answer(request, lambda family, place: f"new{family} {place.path}")


@pytest.mark.parametrize(
    ("addresses", "reserved", "expected"),
    [
        ("10.20.0.0/30", (), ["10.20.0.1/32", "10.20.0.2/32"]),
        ("10.20.0.0/31", (), ["10.20.0.0/32", "10.20.0.1/32"]),
        ("10.20.0.7", (), ["10.20.0.7/32"]),
        ("10.20.0.0/29", ("10.20.0.1", "10.20.0.3-10.20.0.4"), ["10.20.0.2/32", "10.20.0.5/32", "10.20.0.6/32"]),
        ("10.20.0.254-10.20.1.1/24", (), None),
        ("10.20.0.253-10.20.0.255/24", (), ["10.20.0.253/32", "10.20.0.254/32"]),
        ("10.20.0.254-10.20.1.1", (), ["10.20.0.254/32", "10.20.0.255/32", "10.20.1.0/32", "10.20.1.1/32"]),
        ("fd00:20::/126", (), ["fd00:20::1/128", "fd00:20::2/128", "fd00:20::3/128"]),
        ("10.20.0.0/29", ("10.20.0.0/30",), ["10.20.0.4/32", "10.20.0.5/32", "10.20.0.6/32"]),
    ],
)
def test_a_pool_gives_its_addresses_but_the_ends_of_its_network_and_what_is_reserved(addresses, reserved, expected):
    if expected is None:
        with pytest.raises(DocumentError, match=r"address_pools\[0\].addresses: .* is neither a network nor a range"):
            free(addresses)
    else:
        assert free(addresses, *reserved) == expected


def test_what_is_taken_is_not_given():
    taken = {(4, int.from_bytes(bytes([10, 20, 0, 1]), "big")), (6, 2)}
    assert free("10.20.0.0/29", taken=taken, count=2) == ["10.20.0.2/32", "10.20.0.3/32"]


def test_on_a_wire_an_address_has_the_prefix_of_its_network():
    assert free("192.0.2.100-192.0.2.199/24", on_wire=True, count=1) == ["192.0.2.100/24"]
    assert free("2001:db8::/64", on_wire=True, count=1) == ["2001:db8::1/64"]


@given(st.integers(16, 32), st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1))
def test_what_a_pool_gives_is_an_address_of_a_jail(prefix, host, first):
    network = (10 << 24 | host << 8) >> (32 - prefix) << (32 - prefix)
    text = ".".join(map(str, network.to_bytes(4, "big")))
    for address in free(f"{text}/{prefix}", count=3):
        document = normalise({"name": "web1", "ip": {"mode": "vnet", "addresses": [address]}}, jail="web1")
        assert check(document) == []


@pytest.mark.parametrize(
    "addresses",
    ["10.20.0.1/24", "10.20.0.9-10.20.0.2", "jails", "10.20.0.1-fd00::1", "224.0.0.0/24", "127.0.0.0/8", ""],
)
def test_what_is_no_pool_is_refused(addresses):
    with pytest.raises(DocumentError, match=r"address_pools\[0\]\.addresses"):
        pools({"addresses": addresses})


def test_auto_is_an_address_of_each_family_that_the_host_has_pools_of():
    both = pools({"addresses": "fd00:20::/64"}, {"addresses": "10.20.0.0/24"})
    assert chosen(["auto"], both) == ["new4 ip.addresses[0]", "new6 ip.addresses[0]"]
    assert chosen(["auto"], both[:1]) == ["new6 ip.addresses[0]"]
    assert chosen(["192.0.2.1", "auto6"], both) == ["192.0.2.1/32", "new6 ip.addresses[1]"]
    for word, kind in (("auto", ""), ("auto4", "IPv4 "), ("auto6", "IPv6 ")):
        with pytest.raises(DocumentError, match=rf"ip\.addresses\[0\]: this host has no pool of {kind}addresses; "):
            chosen([word], [])
    with pytest.raises(DocumentError, match=r"no pool of IPv4 addresses"):
        chosen(["auto4"], both[:1])


def test_what_a_jail_has_it_keeps_whatever_becomes_of_the_pools():
    stored = {"mode": "vnet", "addresses": ["10.20.0.7/32", "fd00:20::7/128", "10.20.0.8/32"]}
    for host in (pools({"addresses": "10.30.0.0/24"}), []):
        assert chosen(["auto"], host, stored=stored) == ["10.20.0.7/32", "fd00:20::7/128"]
    assert chosen(["auto4", "10.20.0.7"], [], stored=stored) == ["10.20.0.8/32", "10.20.0.7/32"]


def test_on_another_link_it_keeps_what_could_be_from_a_pool_for_that():
    host = pools({"addresses": "10.20.0.0/24"}, {"addresses": "192.0.2.0/24", "link": "br0"})
    routed = {"mode": "vnet", "addresses": ["10.20.0.7/32"]}
    assert chosen(["auto"], host, ip=BRIDGED, stored=routed) == ["new4 ip.addresses[0]"]
    bridged = {**BRIDGED, "addresses": ["192.0.2.7/24"]}
    assert chosen(["auto"], host, ip=BRIDGED, stored=bridged) == ["192.0.2.7/24"]
    other = {**bridged, "bridge": "br1"}
    assert chosen(["auto"], host, ip=BRIDGED, stored=other) == ["192.0.2.7/24"]
    assert chosen(["auto"], host, ip=ROUTED, stored=bridged) == ["new4 ip.addresses[0]"]
    assert chosen(["auto"], host, ip={"mode": "shared", "interface": "eth0"}, stored=routed) == ["10.20.0.7/32"]


def test_a_wire_without_a_pool_of_its_own_has_none():
    with pytest.raises(DocumentError, match="no pool of addresses for br0"):
        chosen(["auto"], pools({"addresses": "10.20.0.0/24"}), ip=BRIDGED)


def test_a_document_of_whatever_form_is_no_obstacle():
    host = pools({"addresses": "10.20.0.0/24"})
    for junk in (None, "x", ["auto", 7, "300.1.1.1", None], {"a": 1}):
        assert chosen(["auto"], host, stored={"mode": "vnet", "addresses": junk}) == ["new4 ip.addresses[0]"]


def test_the_same_choice_twice_is_refused():
    for addresses in (["auto", "auto4"], ["auto6", "auto"]):
        with pytest.raises(DocumentError, match=r"ip\.addresses\[1\]: an IPv[46] address is of the host's choice by"):
            chosen(addresses, [])
    assert chosen(["auto6", "auto4"], pools({"addresses": "10.0.0.0/8"}, {"addresses": "fd00::/64"}))


def test_a_fleet_leaves_the_choice_to_its_hosts():
    jails = [{"name": f"web{number}", "ip": {"addresses": ["auto4"], "forwards": []}} for number in (1, 2)]
    members, errors = parse_fleet(jails, {"ip": {"mode": "vnet", "addresses": ["auto"]}}, fleet="acme")
    assert [str(error) for error in errors] == []
    assert [member.document["ip"]["addresses"] for member in members] == [["auto4"], ["auto4"]]
    for jail in jails:
        jail["ip"]["forwards"] = [{"port": 80, "address": "10.20.0.1"}]
    _members, errors = parse_fleet(jails, {"ip": {"mode": "vnet"}}, fleet="acme")
    assert "tcp port 80 of the host is taken by jails[0]" in str(errors[0])


@pytest.mark.parametrize("ip", [{"mode": "none"}, {"mode": "host"}])
def test_a_jail_without_a_network_of_its_own_gets_none(ip):
    assert request_of("web1", Place("web1"), {**ip, "addresses": ["auto"]}, {}, []) is None
    document = normalise({"name": "web1", "ip": {**ip, "addresses": ["auto"]}}, jail="web1")
    assert [error.path for error in check(document)] == ["ip.addresses"]


def test_a_router_on_the_wire_cannot_be_judged_before_there_is_an_address():
    document = normalise(
        {"name": "web1", "ip": {**BRIDGED, "gateway": ["192.0.2.1"], "addresses": ["auto"]}}, jail="web1"
    )
    assert check(document) == []
