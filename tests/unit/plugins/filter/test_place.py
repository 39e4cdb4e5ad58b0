# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections import Counter

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.hosting.jails.plugins.filter.place import place
from hypothesis import given
from hypothesis import strategies as st

host_names = st.lists(st.from_regex(r"[a-z]{1,3}[0-9]{0,2}", fullmatch=True), min_size=1, max_size=8, unique=True)
jail_names = st.lists(
    st.builds("{}{}".format, st.sampled_from(["web", "db", "mx-"]), st.integers(1, 60)), max_size=60, unique=True
)


@st.composite
def racks(draw):
    """Hosts in failure domains."""
    return {name: {"domain": draw(st.sampled_from(["r1", "r2", "r3"]))} for name in draw(host_names)}


def where(placed):
    """The host of each jail."""
    return {jail: host for host, jails in placed.items() for jail in jails}


def moved(before, after):
    """Jails that are somewhere else than before."""
    before, after = where(before), where(after)
    return {jail for jail in before if jail in after and before[jail] != after[jail]}


@given(jail_names, host_names | racks())
def test_every_jail_is_placed_once_and_every_host_is_told_of(jails, hosts):
    placed = place(jails, hosts)
    assert list(placed) == list(hosts)
    assert sorted(jail for host in placed.values() for jail in host) == sorted(jails)


@given(jail_names, host_names | racks(), st.randoms())
def test_the_order_of_jails_and_hosts_is_no_matter(jails, hosts, random):
    shuffled_jails, shuffled_hosts = list(jails), list(hosts)
    random.shuffle(shuffled_jails)
    random.shuffle(shuffled_hosts)
    if isinstance(hosts, dict):
        shuffled_hosts = {name: hosts[name] for name in shuffled_hosts}
    assert where(place(shuffled_jails, shuffled_hosts)) == where(place(jails, hosts))


@given(jail_names, host_names, st.data())
def test_a_host_that_goes_moves_only_its_own_jails(jails, hosts, data):
    gone = data.draw(st.sampled_from(hosts))
    before = place(jails, [*hosts, "stays"])
    after = place(jails, [*(host for host in hosts if host != gone), "stays"])
    assert moved(before, after) == set(before[gone])


@given(jail_names, racks(), st.data())
def test_a_host_that_goes_from_a_failure_domain_with_others_moves_only_its_own_jails(jails, hosts, data):
    gone = data.draw(st.sampled_from(sorted(hosts)))
    with_others = {**hosts, "r1-stays": {"domain": "r1"}, "r2-stays": {"domain": "r2"}, "r3-stays": {"domain": "r3"}}
    before = place(jails, with_others)
    after = place(jails, {host: said for host, said in with_others.items() if host != gone})
    assert moved(before, after) == set(before[gone])


@given(jail_names, host_names, st.data())
def test_a_jail_that_goes_moves_no_other(jails, hosts, data):
    gone = data.draw(st.sampled_from(["none", *jails]))
    assert not moved(place(jails, hosts), place([jail for jail in jails if jail != gone], hosts))


@given(jail_names, racks())
def test_no_failure_domain_has_two_more_jails_of_a_service_than_another(jails, hosts):
    placed = where(place(jails, hosts))
    domains = {said["domain"] for said in hosts.values()}
    for service in ("web", "db", "mx-"):
        counts = Counter(hosts[placed[jail]]["domain"] for jail in jails if jail.startswith(service))
        assert max(counts[domain] for domain in domains) - min(counts[domain] for domain in domains) <= 1


@given(jail_names, racks(), st.integers(0, 9))
def test_no_host_gets_more_than_it_takes(jails, hosts, slack):
    names = sorted(hosts)
    capacities = Counter(names[number % len(names)] for number in range(len(jails) + slack))
    limited = {name: {**hosts[name], "capacity": capacities[name]} for name in names}
    placed = place(jails, limited)
    assert len(where(placed)) == len(jails)
    assert all(len(placed[name]) <= capacities[name] for name in names)


@pytest.mark.parametrize("hosts", [2, 5, 9])
def test_a_host_that_comes_takes_its_share_from_all_the_others(hosts):
    before = place(1000, [f"host{number}" for number in range(hosts)])
    after = place(1000, [f"host{number}" for number in range(hosts + 1)])
    newcomers = set(after[f"host{hosts}"])
    assert moved(before, after) == newcomers
    assert len(newcomers) == pytest.approx(1000 / (hosts + 1), rel=0.25)
    assert all(newcomers & set(before[host]) for host in before)


def test_a_failure_domain_that_comes_or_goes_moves_little_more_than_it_must():
    four = {f"host{number}": {"domain": f"rack{number % 4}"} for number in range(8)}
    five = {**four, "host8": {"domain": "rack4"}, "host9": {"domain": "rack4"}}
    jails = ["web[1:100]"]
    assert len(moved(place(jails, four), place(jails, five))) <= 1.4 * 100 / 5


def test_one_more_jail_of_a_service_moves_hardly_any_of_it():
    hosts = {f"host{number}": {"domain": f"rack{number % 4}"} for number in range(8)}
    moves = [
        len(moved(place([f"web[1:{count}]"], hosts), place([f"web[1:{count + 1}]"], hosts))) for count in range(20, 60)
    ]
    assert sum(moves) / len(moves) < 2


@pytest.mark.parametrize("weight", [0.5, 2, 3])
def test_jails_are_spread_by_weight(weight):
    placed = place(3000, {"a": None, "b": {"weight": weight}, "c": {}})
    assert len(placed["b"]) / len(placed["a"]) == pytest.approx(weight, rel=0.15)
    assert len(placed["c"]) / len(placed["a"]) == pytest.approx(1, rel=0.15)


@given(jail_names, host_names, st.data())
def test_another_weight_moves_jails_only_to_that_host_or_only_away(jails, hosts, data):
    heavier = data.draw(st.sampled_from(hosts))
    before = place(jails, hosts)
    after = place(jails, {host: {"weight": 2} if host == heavier else None for host in hosts})
    assert moved(before, after) == set(after[heavier]) - set(before[heavier])


def test_documents_come_back_as_they_were_given_and_ranges_written_out():
    jails = [
        {"name": "web[1:2]", "ip": {"addresses": ["10.30.0.[1:2]/32"]}, "command": ["a", "[1:2]"]},
        {"name": "mail", "limits": {"pids": 9}},
    ]
    assert place(jails, ["a"]) == {
        "a": [
            {"name": "web1", "ip": {"addresses": ["10.30.0.1/32"]}, "command": ["a", "[1:2]"]},
            {"name": "web2", "ip": {"addresses": ["10.30.0.2/32"]}, "command": ["a", "[1:2]"]},
            {"name": "mail", "limits": {"pids": 9}},
        ]
    }


def test_a_service_can_be_said_by_the_documents():
    jails = [{"name": name, "labels": {"service": "name service"}} for name in ("alpha", "beta", "gamma")]
    hosts = {f"host{number}": {"domain": f"rack{number}"} for number in range(3)}
    assert [len(found) for found in place(jails, hosts, spread="labels.service").values()] == [1, 1, 1]


def test_a_host_without_a_failure_domain_is_one_by_itself():
    hosts = {"a": {"domain": "rack1"}, "b": {"domain": "rack1"}, "c": {}}
    placed = place(["web[1:10]"], hosts)
    assert len(placed["c"]) == 5


def test_what_fails_to_fit_where_it_belongs_goes_to_where_room_is():
    hosts = {"a": {"domain": "r1", "capacity": 1}, "b": {"domain": "r2", "capacity": 9}, "c": {"domain": "r3"}}
    placed = place(["web[1:9]"], hosts)
    assert [len(placed[host]) for host in "abc"] == [1, 4, 4]


def test_sizes_count_against_capacities():
    jails = [{"name": f"web{number}", "limits": {"memory": "1G"}} for number in range(6)]
    jails.append({"name": "db", "limits": {"memory": "6144M"}})
    placed = place(jails, {"a": {"capacity": "6G"}, "b": {"capacity": "6G"}}, size="limits.memory")
    assert sorted(len(found) for found in placed.values()) == [1, 6]


@pytest.mark.parametrize(
    ("jails", "hosts", "options", "complaint"),
    [
        (["a"], [], {}, "hosts: is empty; name at least one host"),
        (["a"], "host1", {}, "hosts: 'host1' is neither a list nor a mapping; list the names of hosts"),
        (["a"], {"h": {"wieght": 2}}, {}, "hosts.h.wieght: there is no option of that name; did you mean weight?"),
        (["a"], {"h": {"weight": 0}}, {}, "hosts.h.weight: 0 is no weight; write a number above 0, such as 2 or 0.5"),
        (["a"], {"h": {"weight": "inf"}}, {}, "hosts.h.weight: 'inf' is no weight"),
        (["a"], {"h": {"capacity": "much"}}, {}, "hosts.h.capacity: 'much' is not a size"),
        (["a"], {"h": 3}, {}, "hosts.h: 3 is not a mapping"),
        (["a", "a"], ["h"], {}, "there are two jails called a"),
        ([{"nome": "a"}], ["h"], {}, "[0]: a mapping is neither a jail nor the name of one; write a name"),
        (["web[3:1]"], ["h"], {}, "[0]: the range [3:1] runs backwards"),
        (["web[1:9]"], {"h": {"capacity": 2}}, {}, "no host has room for "),
        ([{"name": "a"}], ["h"], {"size": "limits.memory"}, "jail a says no limits.memory"),
        ([{"name": "a", "x": "big"}], ["h"], {"size": "x"}, "jail a: x: 'big' is not a size"),
    ],
)
def test_what_cannot_be_is_refused(jails, hosts, options, complaint):
    with pytest.raises(AnsibleFilterError) as caught:
        place(jails, hosts, **options)
    assert str(caught.value).startswith(f"hosting.jails.place: {complaint}")
