# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What jails are called in the inventory, and what a hostile jail host cannot make of it."""

from __future__ import annotations

from collections import Counter

import pytest
from ansible_collections.hosting.jails.plugins.plugin_utils._inventory_names import assign, is_host_name
from hypothesis import given
from hypothesis import strategies as st

TWO = {"hosts": ["node1", "node2"]}


def test_jails_of_one_name_on_two_hosts_are_told_apart_by_their_hosts(fleet):
    fleet.host("node1", {"name": "web1"}, {"name": "db1"})
    fleet.host("node2", {"name": "web1"})
    found = fleet.read(TWO)
    assert found.names == ["db1", "web1.node1", "web1.node2"]
    assert found.warnings == []


def test_names_come_from_the_first_expression_that_is_enough(fleet):
    fleet.host("node1", {"name": "web1", "labels": {"dns": "www.example.org"}}, {"name": "web2"})
    found = fleet.read({"hosts": ["node1"], "hostnames": ["jail_labels.dns", "jail_name ~ '@' ~ jail_host"]})
    assert found.names == ["web2@node1", "www.example.org"]


def test_jails_that_cannot_be_told_apart_are_left_out(fleet):
    fleet.host("node1", {"name": "web1"}, {"name": "db1"})
    fleet.host("node2", {"name": "web1"})
    found = fleet.read({**TWO, "hostnames": ["jail_name"]})
    assert found.names == ["db1"]
    assert found.warned("web1 of node1", "left out", "another jail wants to be web1")
    assert found.warned("web1 of node2", "left out")


def test_jails_that_cannot_be_told_apart_are_an_error_if_that_is_wanted(fleet):
    fleet.host("node1", {"name": "web1"})
    fleet.host("node2", {"name": "web1"})
    found = fleet.read({**TWO, "hostnames": ["jail_name"], "strict": True})
    assert found.names == []
    assert found.warned("test.jails.yml", "web1 of node1", "left out")


@pytest.mark.parametrize(
    "evil", ["a b", "x[1:9]", "!all", "-oProxyCommand=sh", "a:22", "web,db", "web\nx", "{{ 1 }}", "ä"]
)
def test_a_label_that_could_be_no_host_is_no_name(fleet, evil):
    fleet.host("node1", {"name": "web1", "labels": {"dns": evil}})
    found = fleet.read({"hosts": ["node1"], "hostnames": ["jail_labels.dns"]})
    assert found.names == []
    assert found.warned("web1 of node1", "yield nothing that a host can be called")


@pytest.mark.parametrize("name", ["all", "ungrouped", "localhost", "jails", "webservers", "busy", "node2"])
def test_a_jail_cannot_take_the_name_of_a_group_or_of_a_jail_host(fleet, name):
    """The inventory would give its variables to the group, or send the plays for that host to it."""
    fleet.host("node1", {"name": name}, {"name": "web1"})
    fleet.host("node2")
    before = fleet.file("hosts.ini", "[webservers]\nother\n")
    found = fleet.read({**TWO, "groups": {"busy": "true"}, "hostnames": ["jail_name"], "merge": True}, before=[before])
    assert found.names == ["other", "web1"]
    assert found.warned(f"{name} of node1", f"{name} is already in the inventory")
    assert "ansible_connection" not in str(found.group_vars)


def test_a_jail_does_not_take_the_place_of_a_host_of_another_source(fleet):
    fleet.host("node1", {"name": "bank"})
    before = fleet.file("hosts.ini", "bank ansible_host=192.0.2.1\n")
    found = fleet.read({"hosts": ["node1"]}, before=[before])
    assert found.hosts["bank"] == {"ansible_host": "192.0.2.1"}
    assert found.hosts["bank.node1"]["jail_name"] == "bank"


def test_a_jail_completes_a_host_of_another_source_if_that_is_wanted(fleet):
    fleet.host("node1", {"name": "web1"})
    before = fleet.file("hosts.ini", "[webservers]\nweb1 http_port=8080\n")
    found = fleet.read({"hosts": ["node1"], "merge": True}, before=[before])
    assert found.hosts["web1"]["http_port"] == 8080
    assert found.hosts["web1"]["jail_host"] == "node1"
    assert found.groups["webservers"] == ["web1"]


def test_two_sources_do_not_take_each_others_jails(fleet):
    fleet.host("node1", {"name": "web1"})
    fleet.host("node2", {"name": "web1"})
    first = fleet.file("a.jails.yml", {"plugin": "hosting.jails.jails", "hosts": ["node1"]})
    found = fleet.read({"hosts": ["node2"]}, before=[first])
    assert found.hosts["web1"]["jail_host"] == "node1"
    assert found.hosts["web1.node2"]["jail_host"] == "node2"


def test_nothing_that_a_jail_says_is_a_template(fleet):
    evil = "{{ lookup('pipe', 'touch ' ~ inventory_dir ~ '/owned') }}"
    row = {"name": "web1", "hostname": evil, "message": evil, "labels": {"a": evil, evil: "b"}, "template": evil}
    fleet.host("node1", {**row, "depends": [evil], "limits": {"memory": evil, "io": [{"device": evil}]}})
    config = {
        "hosts": ["node1"],
        "compose": {"composed": "jail_labels.a", "joined": "jail_labels.a ~ jail_hostname"},
        "keyed_groups": [{"key": "jail_labels.a", "prefix": "a"}, {"key": "jail_labels", "prefix": "l"}],
        "group_by": ["template"],
        "filters": [{"exclude": "jail_message == 'x'"}],
    }
    names = ["jail_hostname", "jail_message", "jail_labels", "jail_depends", "jail_limits", "jail_template"]
    texts = [f"{{{{ {name} }}}}" for name in [*names, "composed", "joined"]]
    found = fleet.read(config, templates={"web1": texts})
    hostname, message, labels, depends, limits, template, composed, joined = found.templated["web1"]
    assert hostname == message == template == composed == evil
    assert (labels, depends) == ({"a": evil, evil: "b"}, [evil])
    assert limits == {"memory": evil, "io": [{"device": evil}]}
    assert joined == evil * 2
    assert not (fleet.directory / "owned").exists()
    assert all(name.replace("_", "").isalnum() for name in found.groups), found.groups


def test_a_label_that_is_another_jails_name_takes_nothing_from_it(fleet):
    """The group is called like the jail; variables and groups of that jail are still its own."""
    fleet.host("node1", {"name": "a", "labels": {"team": "b"}}, {"name": "b", "labels": {"team": "c"}})
    config = {
        "hosts": ["node1"],
        "keyed_groups": [{"key": "jail_labels.team", "prefix": "", "separator": ""}],
        "groups": {"all_of_them": "true"},
        "compose": {"twice": "jail_name ~ jail_name"},
    }
    found = fleet.read(config)
    assert found.hosts["b"]["twice"] == "bb"
    assert found.groups["b"] == ["a"]
    assert found.group_vars["b"] == {}
    assert found.groups["all_of_them"] == ["a", "b"]


WANTED = st.lists(st.lists(st.sampled_from("abcde"), max_size=4), max_size=8)


@given(WANTED)
def test_no_two_jails_get_one_name(wanted):
    names = [name for name in assign([iter(names) for names in wanted]) if name is not None]
    assert len(set(names)) == len(names)


@given(WANTED)
def test_a_jail_gets_one_of_the_names_it_wants(wanted):
    for names, name in zip(wanted, assign([iter(names) for names in wanted])):
        assert name is None or name in names


@given(WANTED.flatmap(lambda wanted: st.tuples(st.just(wanted), st.permutations(range(len(wanted))))))
def test_the_order_of_the_hosts_decides_nothing(case):
    wanted, order = case
    names = assign([iter(names) for names in wanted])
    shuffled = assign([iter(wanted[number]) for number in order])
    assert shuffled == [names[number] for number in order]


@given(WANTED)
def test_a_first_choice_that_nobody_shares_is_kept_unless_it_becomes_ambiguous(wanted):
    everything = Counter(name for names in wanted for name in set(names))
    for names, name in zip(wanted, assign([iter(names) for names in wanted])):
        if names and everything[names[0]] == 1:
            assert name == names[0]


@given(st.text(max_size=20))
def test_no_name_of_a_host_is_an_option_a_pattern_or_a_template(text):
    if is_host_name(text):
        assert not text.startswith("-")
        assert not set(text) & set(" \t\n,:!&~*?[]{}'\"/\\;|<>$")
