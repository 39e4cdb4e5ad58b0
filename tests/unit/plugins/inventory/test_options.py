# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters, groups, and what is wrong with a configuration."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

PLUGIN = Path(__file__).resolve().parents[4] / "plugins" / "inventory" / "jails.py"

JAILS = (
    {"name": "web1", "state": "running", "profile": "service", "labels": {"customer": "acme", "fleet": "shop"}},
    {"name": "web2", "state": "stopped", "profile": "service", "labels": {"customer": "acme"}, "autostart": True},
    {"name": "dns1", "state": "frozen", "profile": "vps", "labels": {"customer": "", "tier": "edge"}},
    {"name": "old1", "state": "failed", "labels": {}},
)


@pytest.fixture
def one(fleet):
    """``one(options)``: the inventory of a host with the four jails."""
    fleet.host("node1", *JAILS)
    return lambda options, **request: fleet.read({"hosts": ["node1"], **options}, **request)


def test_only_jails_in_some_states(one):
    assert one({"states": ["running", "frozen"]}).names == ["dns1", "web1"]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ([], ["dns1", "old1", "web1", "web2"]),
        ([{"exclude": "jail_state == 'failed'"}], ["dns1", "web1", "web2"]),
        ([{"include": "jail_labels.customer == 'acme'"}, {"exclude": True}], ["web1", "web2"]),
        ([{"exclude": "jail_name == 'web2'"}, {"include": "'web' in jail_name"}, {"exclude": "true"}], ["web1"]),
        ([{"include": "jail_autostart"}, {"exclude": "true"}], ["web2"]),
        ([{"exclude": "jail_labels.no_such.thing"}], ["dns1", "old1", "web1", "web2"]),
        ([{"exclude": "jail_host == 'node1'"}], []),
    ],
)
def test_the_first_rule_that_is_true_decides(one, filters, names):
    assert one({"filters": filters}).names == names


def test_an_expression_that_cannot_be_evaluated_is_an_error_if_that_is_wanted(one):
    found = one({"filters": [{"exclude": "jail_labels.no_such.thing"}], "strict": True})
    assert found.names == []
    assert found.warned("test.jails.yml", "filters[0].exclude", "jail_labels.no_such.thing", "web1 of node1")


def test_variables_and_groups_are_constructed(one):
    found = one(
        {
            "compose": {"ansible_python_interpreter": "'/usr/bin/python3'", "url": "'http://' ~ jail_name"},
            "groups": {"acme": "jail_labels.customer == 'acme'"},
            "keyed_groups": [
                {
                    "key": "jail_labels.customer",
                    "prefix": "customer",
                    "default_value": "none",
                    "parent_group": "customers",
                },
                {"key": "jail_profile", "prefix": "profile"},
                {"key": "jail_labels", "prefix": "label", "trailing_separator": False},
            ],
        }
    )
    assert found.hosts["web1"]["url"] == "http://web1"
    assert found.hosts["web1"]["ansible_python_interpreter"] == "/usr/bin/python3"
    assert found.groups["acme"] == ["web1", "web2"]
    assert found.groups["customer_acme"] == ["web1", "web2"]
    assert found.groups["customer_none"] == ["dns1"]
    assert found.parents["customer_acme"] == ["customers"]
    assert found.groups["profile_vps"] == ["dns1"]
    assert found.groups["label_tier_edge"] == ["dns1"]
    assert found.groups["label_customer"] == ["dns1"]


def test_a_separator_without_a_prefix_can_be_left_out(one):
    options = {"keyed_groups": [{"key": "jail_state"}]}
    assert "_running" in one(options).groups
    assert "running" in one({**options, "leading_separator": False}).groups


def test_extra_variables_count_where_that_is_wanted(one):
    options = {"keyed_groups": [{"key": "customer", "prefix": "of"}]}
    extra = {"extra_vars": [{"customer": "acme"}]}
    assert "of_acme" not in one(options, **extra).groups
    assert len(one({**options, "use_extra_vars": True}, **extra).groups["of_acme"]) == 4


def test_jails_are_grouped_by_what_they_have_in_common(one):
    found = one({"group_by": ["host", "state", "fleet", "profile"]})
    assert found.groups["jail_host_node1"] == ["dns1", "old1", "web1", "web2"]
    assert found.groups["jail_state_running"] == ["web1"]
    assert found.groups["jail_fleet_shop"] == ["web1"]
    assert found.groups["jail_profile_service"] == ["web1", "web2"]
    assert not [name for name in found.groups if name.endswith("None")]


@pytest.mark.parametrize(("group", "groups"), [("prisoners", ["prisoners"]), ("", [])])
def test_the_group_of_all_jails_is_called_as_wanted(one, group, groups):
    assert [name for name in one({"group": group}).groups if name not in ("all", "ungrouped")] == groups


def test_jails_are_reached_by_their_own_addresses_if_that_is_wanted(fleet):
    fleet.host("node1", {"name": "web1", "addresses": ["10.32.0.11/32"]}, {"name": "dns1"})
    found = fleet.read({"hosts": [{"name": "node1", "user": "root", "port": 2222}], "connect": "ssh"})
    connection = {name: value for name, value in found.hosts["web1"].items() if name.startswith("ansible_")}
    assert connection == {"ansible_host": "10.32.0.11"}
    assert not [name for name in found.hosts["dns1"] if name.startswith("ansible_")]


@pytest.mark.parametrize("name", ["jails.yml", "jails.yaml", "prod.jails.yml", "prod.jails.yaml"])
def test_a_configuration_is_known_by_its_name(fleet, name):
    fleet.host("node1", {"name": "web1"})
    assert fleet.read({"hosts": ["node1"]}, name=name).names == ["web1"]


@pytest.mark.parametrize("name", ["hosts.yml", "myjails.yml", "jails.json"])
def test_another_file_is_not_ours(fleet, name):
    fleet.host("node1", {"name": "web1"})
    assert fleet.read({"hosts": ["node1"]}, name=name).names == []
    assert fleet.calls() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["hosts: there is no host to ask"]),
        ({"hosts": ["n"], "timeuot": 3}, ["timeuot: there is no such option; timeout is meant?"]),
        ({"hosts": ["n"], "timeout": 0}, ["timeout: 0 is not right"]),
        ({"hosts": ["n"], "timeout": "soon"}, ["timeout"]),
        ({"hosts": ["n"], "parallel": -1}, ["parallel: -1 is not right"]),
        ({"hosts": ["n"], "connect": "telnet"}, ["connect", "telnet"]),
        ({"hosts": ["n"], "states": ["asleep"]}, ["states"]),
        ({"hosts": ["n", "n"]}, ["n is there twice"]),
        ({"hosts": [5]}, ["hosts[0]: 5 is not a host"]),
        ({"hosts": [{"address": "192.0.2.1"}]}, ["hosts[0]: it has no name"]),
        ({"hosts": ["a", {"name": "b", "port": "abc"}]}, ["hosts[1].port: 'abc' is not right; write a number from 1"]),
        ({"hosts": ["a", {"name": "b", "port": 70000}]}, ["hosts[1].port: 70000"]),
        ({"hosts": [{"name": "b", "prot": 22}]}, ["hosts[0].prot: there is no such option"]),
        ({"hosts": [{"name": "b", "become": "maybe"}]}, ["hosts[0].become: 'maybe'"]),
        ({"hosts": [{"name": "b", "vars": ["x"]}]}, ["hosts[0].vars"]),
        ({"hosts": [{"name": "-oProxyCommand=sh"}]}, ["hosts[0].name", "is not a name"]),
        ({"hosts": ["a[9:1]"]}, ["hosts[0].name", "is not a range"]),
        ({"hosts": ["a[1:"]}, ["hosts[0].name", "is not a range"]),
        ({"hosts": ["n"], "hostnames": ["jail_name ~"]}, ["hostnames[0]: 'jail_name ~' is not an expression"]),
        ({"hosts": ["n"], "hostnames": [5]}, ["hostnames[0]: 5 is not an expression"]),
        ({"hosts": ["n"], "filters": [{"include": "a =="}]}, ["filters[0].include: 'a ==' is not an expression"]),
        (
            {"hosts": [{"name": "a[1:3]", "address": "192.0.2.1"}]},
            ["hosts[0].address: 3 hosts cannot have one address"],
        ),
        ({"hosts": "node1:node2"}, ["hosts[0].name", "is not a name"]),
        ({"hosts_from": ["nobody"]}, ["hosts_from[0]", "no source before this file has a host or group 'nobody'"]),
        ({"hosts": ["n"], "filters": [{"include": "x", "exclude": "y"}]}, ["filters[0]", "is not a rule"]),
        ({"hosts": ["n"], "filters": ["x"]}, ["filters"]),
        ({"hosts": ["n"], "filters": {"include": "x"}}, ["filters"]),
    ],
)
def test_a_mistake_is_named_with_its_file_and_place(fleet, options, words):
    found = fleet.read(options)
    assert found.names == []
    assert found.warned("test.jails.yml", *words), found.warnings
    assert fleet.calls() == []


def examples():
    """The files in the plugin's EXAMPLES."""
    for node in ast.parse(PLUGIN.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["EXAMPLES"]:
            return [found for found in yaml.safe_load_all(ast.literal_eval(node.value)) if found]
    raise AssertionError(f"{PLUGIN} has no EXAMPLES")


@pytest.mark.parametrize("example", examples(), ids=lambda example: "-".join(example)[:60])
def test_the_examples_can_be_used_as_they_are(fleet, example):
    fleet.program("sudo", "#!/bin/sh\nexit 1\n")
    for name in ("node1", "node13x", "192.0.2.7", *(f"node{number:02}.example.org" for number in range(1, 21))):
        fleet.host(name, *({**jail, "name": f"{jail['name']}-{name.translate({46: 45})}"} for jail in JAILS))
    before = fleet.file("hosts.ini", "[jail_hosts]\nnode1\nnode13x\n")
    example = {key: value for key, value in example.items() if key != "cache_connection"}
    found = fleet.read({**example, "cache_plugin": "memory"}, before=[before])
    assert [text for text in found.warnings if "No jails of localhost" not in text] == []
    if "localhost" not in str(example.get("hosts")):
        assert any("jail_name" in variables for variables in found.hosts.values())
