# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.document import effective, normalise
from ansible_collections.hosting.jails.plugins.module_utils._model.live import Live, NetworkLive
from ansible_collections.hosting.jails.plugins.module_utils._model.planner import Wanted, plan

JAIL = "web1"
PLAIN = normalise({"ip": {"mode": "vnet", "addresses": ["10.0.0.1"]}}, jail=JAIL)
WITH_RULES = normalise(
    {"ip": {"mode": "vnet", "addresses": ["10.0.0.1"], "forwards": [{"port": 80}], "masquerade": True}}, jail=JAIL
)
NETWORK = NetworkLive(mode="vnet", addresses=("10.0.0.1/32",), mtu=1500)
LIVE = Live(state="stopped", network=NETWORK)


def lines(stored, live=LIVE, *, part="ip", state=None, **ip):
    given = {"ip": ip} if ip else {}
    actions = plan(Wanted(JAIL, given, state=state, part=part), stored, live).actions
    return [action.line() for action in actions if action.kind != "document.write"]


def test_a_jail_without_rules_needs_nothing_of_the_packet_filter():
    assert lines(PLAIN) == []
    assert lines(PLAIN, replace(LIVE, firewall=())) == []


def test_rules_come_before_the_network_that_they_guard():
    assert lines(None, Live(), mode="vnet", addresses=["10.0.0.1"], forwards=[{"port": 80}]) == [
        "firewall.change web1: its rules",
        "network.create web1: mode vnet",
    ]


def test_rules_that_are_there_are_left_alone():
    assert lines(WITH_RULES, replace(LIVE, firewall=())) == []


@pytest.mark.parametrize("drift", [("the table is gone",), ("2 missing", "other rules")])
def test_drift_is_repaired(drift):
    assert lines(WITH_RULES, replace(LIVE, firewall=drift)) == [f"firewall.change web1: {', '.join(drift)}"]


def test_leftovers_are_cleared():
    assert lines(PLAIN, replace(LIVE, firewall=("leftovers",))) == ["firewall.change web1: leftovers"]


@pytest.mark.parametrize(
    ("ip", "summary"),
    [
        ({"forwards": []}, "other forwards"),
        ({"masquerade": False}, "other masquerade"),
        ({"firewall": {"inbound": {"policy": "drop"}}}, "other firewall"),
        ({"forwards": [], "masquerade": False}, "no rules any more"),
    ],
)
def test_a_change_says_what_is_asked_for_anew(ip, summary):
    assert lines(WITH_RULES, replace(LIVE, firewall=()), **ip) == [f"firewall.change web1: {summary}"]


def test_rules_follow_the_addresses():
    changes = lines(WITH_RULES, replace(LIVE, firewall=()), addresses=["10.0.0.2"])
    assert changes[0] == "firewall.change web1: other addresses"


def test_a_task_about_something_else_repairs_nothing():
    assert lines(WITH_RULES, replace(LIVE, firewall=("2 missing",)), part="caps") == []


def test_a_jail_that_waits_for_its_restart_keeps_the_rules_of_its_network():
    running = replace(LIVE, state="running", started=effective(WITH_RULES), firewall=())
    cleared = {"mode": "host", "addresses": [], "forwards": [], "masquerade": False}
    assert lines(WITH_RULES, running, **cleared) == ["option.defer web1: ip.mode: 'vnet' -> 'host' needs a restart"]
    stored = normalise({"ip": {"mode": "host"}}, jail=JAIL)
    (action,) = [
        action
        for action in plan(Wanted(JAIL, part="ip"), stored, replace(running, firewall=("the table is gone",))).actions
        if action.kind == "firewall.change"
    ]
    assert action.arguments["document"]["ip"]["forwards"] == effective(WITH_RULES)["ip"]["forwards"]


def test_removal_takes_the_rules_after_the_network():
    assert lines(WITH_RULES, replace(LIVE, firewall=()), part="jail", state="absent") == [
        "network.remove web1",
        "firewall.remove web1",
        "document.remove web1",
    ]
    assert lines(PLAIN, part="jail", state="absent") == ["network.remove web1", "document.remove web1"]
    assert lines(None, Live(firewall=("leftovers",)), part="jail", state="absent") == ["firewall.remove web1"]


def test_another_bandwidth_is_a_change_of_the_network():
    assert lines(PLAIN, bandwidth={"egress": "10M"}) == ["network.change web1: other bandwidth"]


def test_rules_are_changed_on_a_running_jail():
    running = replace(LIVE, state="running", started=effective(PLAIN))
    found = plan(Wanted(JAIL, {"ip": {"forwards": [{"port": 80}], "bandwidth": {"egress": "10M"}}}), PLAIN, running)
    assert not found.restart_required
