# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.hosting.jails.plugins.filter.next_address import next_address
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("pool", "taken", "address"),
    [
        ("10.20.0.0/24", [], "10.20.0.1/32"),
        ("fd00:20::/64", [], "fd00:20::1/128"),
        ("10.20.0.0/24", ["10.20.0.1", "10.20.0.2/32", "10.20.0.3/24"], "10.20.0.4/32"),
        ("10.20.0.0/24", ["10.20.0.0/28"], "10.20.0.16/32"),
        ("10.20.0.0/24", ["10.0.0.0/12", "fd00::/8"], "10.20.0.1/32"),
        ("fd00:20::/64", ["fd00:20::/112"], "fd00:20::1:0/128"),
        ("10.20.0.4/31", [], "10.20.0.4/32"),
        ("10.20.0.4/32", [], "10.20.0.4/32"),
        ("fd00:20::/127", [], "fd00:20::/128"),
        (["10.20.0.0/30", "10.20.1.0/30"], ["10.20.0.1", "10.20.0.2"], "10.20.1.1/32"),
        ("10.20.0.0/24", [[["10.20.0.1"]], None, ""], "10.20.0.2/32"),
        (
            "10.20.0.0/24",
            [{"name": "web[1:9]", "ip": {"addresses": ["10.20.0.[1:9]/32"]}}, {"name": "x"}, {"name": "y", "ip": None}],
            "10.20.0.10/32",
        ),
    ],
)
def test_the_lowest_address_that_is_not_taken_is_next(pool, taken, address):
    assert next_address(pool, taken) == address


def test_several_come_in_a_list():
    assert next_address("10.20.0.0/24", ["10.20.0.2"], count=3) == ["10.20.0.1/32", "10.20.0.3/32", "10.20.0.4/32"]
    assert next_address("10.20.0.0/24", count=1) == ["10.20.0.1/32"]
    assert next_address("10.20.0.0/24", count=0) == []


def test_networks_that_overlap_give_no_address_twice():
    found = next_address(["10.20.0.0/29", "10.20.0.0/28"], count=12)
    assert len(set(found)) == 12


def test_a_network_of_any_size_is_looked_through_at_once():
    assert next_address("fd00::/8", ["fd00::/9", "fd80::/10"]) == "fdc0::/128"


@given(st.sampled_from(["10.20.0.0/26", "fd00:20::/122"]), st.sets(st.integers(0, 63)), st.integers(1, 20))
def test_what_is_returned_is_free_distinct_ascending_and_not_to_be_had_lower(pool, numbers, count):
    network = ip_network(pool)
    taken = [str(network[number]) for number in numbers]
    usable = [str(address) for address in list(network.hosts()) if str(address) not in taken]
    if len(usable) < count:
        with pytest.raises(AnsibleFilterError, match=f"has {len(usable)} free addresses, and {count} are asked for"):
            next_address(pool, taken, count=count)
        return
    found = [str(ip_interface(address).ip) for address in next_address(pool, taken, count=count)]
    assert found == sorted(usable, key=ip_address)[:count]


@pytest.mark.parametrize(
    ("pool", "taken", "complaint"),
    [
        ("10.20.0.5/24", [], "pool: '10.20.0.5/24' is not a network; write 10.20.0.0/24 or fd00:20::/64"),
        (["10.20.0.0/24", 7], [], "pool[1]: 7 is not a network"),
        ("10.20.0.0/24", ["x"], "taken[0]: 'x' is not an address; write addresses, networks or documents of jails"),
        ("10.20.0.0/24", [{"name": "web1", "ip": {"addresses": ["y"]}}], "taken[0].ip.addresses[0]: 'y' is not"),
        ("169.254.0.0/16", [], "pool: '169.254.0.1' is a link-local address"),
        ("10.20.0.0/30", ["10.20.0.0/24"], "10.20.0.0/30 has 0 free addresses, and 1 are asked for"),
    ],
)
def test_what_cannot_be_is_refused(pool, taken, complaint):
    with pytest.raises(AnsibleFilterError) as caught:
        next_address(pool, taken)
    assert str(caught.value).startswith(f"hosting.jails.next_address: {complaint}")
