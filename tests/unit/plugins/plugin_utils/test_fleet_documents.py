# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.plugin_utils._fleet_documents import read_documents, shape_errors
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._model.strategies import junk, raw_documents
from hypothesis import given
from hypothesis import strategies as st

# The first use imports jsonschema, which would count against the deadline of whichever property comes first.
shape_errors([{"name": "web1"}], None)


def complaints(jails, defaults=None):
    return [str(error) for error in read_documents({"jails": jails, "defaults": defaults})[1]]


def test_all_mistakes_of_all_documents_are_found_at_once_and_each_is_told_once():
    jails = [
        {"name": "a", "limits": {"memory": "lots", "pids": 0, "cpu": 1, "ram": 2}},
        {"name": "b"},
        {
            "name": "c",
            "hooks": [{"stage": "start"}, {"stage": "prestart", "command": ["/bin/true"]}],
            "mounts": [{"source": "srv"}],
            "ip": {"mtu": 10, "addresses": "10.30.0.1"},
            "rootfs": {"source": {"template": "debian", "empty": True}},
            "environment": {"A": ["x"]},
        },
        {"name": "d[1:3]", "autostart": "yes"},
    ]
    assert complaints(jails) == [
        "jail a: jails[0].limits.memory: 'lots' is not a size; write a whole number with an optional suffix K, M, G or"
        " T",
        "jail a: jails[0].limits.pids: 0 is not accepted; write a whole number from 1 to 4194304",
        "jail a: jails[0].limits.cpu: there is no option of that name; did you mean cpus?",
        "jail a: jails[0].limits.ram: there is no option of that name; known are memory, swap, cpus, cpu_weight,"
        " cpuset, pids and io",
        "jail c: jails[2].environment.A: a list is not text; put it in quotes",
        "jail c: jails[2].mounts[0].source: 'srv' is not an absolute path; write an absolute path without '..'",
        "jail c: jails[2].mounts[0].target: is missing; say it",
        "jail c: jails[2].hooks[0].stage: 'start' is not a choice; use prestart, poststart, prestop or poststop",
        "jail c: jails[2].hooks[0].command: is missing; say it",
        "jail c: jails[2].rootfs.source: says both template and empty; say exactly one of template, archive, packages"
        " or empty",
        "jail c: jails[2].ip.addresses: '10.30.0.1' is not a list; write a list, also for a single element",
        "jail c: jails[2].ip.mtu: 10 is not accepted; write a whole number from 1280 to 65535",
        "jail d1: jails[3].autostart: 'yes' is neither true nor false; write true or false, without quotes",
    ]


def test_addresses_can_be_left_to_the_hosts():
    assert complaints([{"name": "a"}, {"name": "b"}], {"ip": {"mode": "vnet", "addresses": ["auto4", "auto6"]}}) == []
    [complaint] = complaints([{"name": "a", "ip": {"mode": "vnet", "addresses": ["auto", "auto6"]}}])
    assert complaint.startswith("jail a: jails[0].ip.addresses[1]: an IPv6 address is of the host's choice by jails[0]")


def test_mistakes_in_defaults_come_first_and_once():
    jails = [{"name": "web[1:9]", "limits": {"pids": "many"}}]
    assert complaints(jails, {"limits": {"cpus": 0}, "restart": {"policy": "sometimes", "delay": -1}}) == [
        "defaults.limits.cpus: 0 is out of range; write a number from 0.01 to 8192",
        "defaults.restart.policy: 'sometimes' is not a choice; use never, on-failure or always",
        "defaults.restart.delay: -1 is not accepted; write a whole number from 0 to 3600",
        "jail web1: jails[0].limits.pids: 'many' is not accepted; write a whole number from 1 to 4194304",
    ]


def test_what_needs_no_schema_is_found_as_well():
    vnet = {"ip": {"mode": "vnet", "addresses": ["10.30.0.1"]}}
    assert complaints([{"name": "a", **vnet}, {"name": "b", **vnet}, "c"]) == [
        "jail b: jails[1].ip.addresses[0]: 10.30.0.1/32 is taken by jails[0] (jail a); give each jail one of its own",
        "jails[2]: 'c' is not a mapping; write the options of a jail, at least its name",
    ]


@pytest.mark.parametrize("jails", [None, "web1", {"name": "web1"}])
def test_jails_that_are_no_list_are_refused(jails):
    [said] = complaints(jails)
    assert said.startswith("jails: ")


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "", "limits": {}, "hostname": None, "labels": []},
        {
            "ip": {"mtu": None, "dns": {}},
            "limits": {"memory": ""},
            "rootfs": {"source": {"template": "a", "empty": None}},
        },
        {"state": "absent"},
    ],
)
def test_values_that_say_nothing_are_no_mistakes(entry):
    assert complaints([{"name": "web1", **entry}]) == []


def test_a_wrong_name_in_a_part_is_a_mistake_whatever_it_says():
    [complaint] = complaints([{"name": "web1", "ip": {"adresses": ""}}])
    assert "jails[0].ip.adresses: there is no option of that name; did you mean addresses?" in str(complaint)


@given(raw_documents(), raw_documents(with_rootfs=False))
def test_the_schema_refuses_nothing_that_the_parser_takes(raw, defaults):
    assert shape_errors([{"name": "web1", **raw}], defaults) == []


@given(junk, junk)
def test_no_junk_breaks_the_reading_and_the_schema_alone_refuses_nothing(entry, defaults):
    for jails in (entry, [entry], [{"name": "web1", "ip": entry, "limits": entry, "hooks": [entry]}]):
        found = shape_errors(jails, defaults)
        _members, errors = read_documents({"jails": jails, "defaults": defaults})
        assert errors or not found


@given(st.sampled_from(["limits", "ip", "mounts", "hooks", "caps", "rootfs", "restart"]), junk)
def test_a_document_that_the_parser_takes_whole_has_no_shape_error(option, value):
    entry = {"name": "web1", option: value}
    _members, errors = read_documents({"jails": [entry]})
    if not errors:
        assert shape_errors([entry], None) == []
