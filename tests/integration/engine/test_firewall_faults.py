# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run is killed at each of its steps; the next one completes or undoes its work, and nothing is left behind."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.integration.engine import network_host as host
from ansible_collections.hosting.jails.tests.integration.engine.firewall_host import WEB1, Network, apply, world

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("private_state")

OPEN: dict[str, Any] = {"forwards": [], "masquerade": False, "firewall": {}, "bandwidth": {}}
GUARDED: dict[str, Any] = {
    "forwards": [{"port": 8080, "to": 80}],
    "masquerade": True,
    "firewall": {"inbound": {"policy": "drop"}},
    "bandwidth": {"ingress": "20M", "egress": "10M"},
}


@pytest.fixture
def net(private_state: None) -> Network:
    network = Network()
    apply("web1", {**WEB1, **OPEN})
    return network


def _world_of(ip: dict[str, Any]) -> list[str]:
    """What there is when nothing was killed."""
    apply("web1", ip)
    return sorted(map(repr, world()))


def test_a_killed_change_is_completed_by_the_next_run_whatever_it_is_about(net: Network) -> None:
    whole = _world_of(GUARDED)
    bare = _world_of(OPEN)
    for moment in host.kills(lambda: apply("web1", GUARDED), at_least=6):
        apply("web1")
        assert sorted(map(repr, world())) in (bare, whole), moment
        apply("web1", GUARDED)
        assert sorted(map(repr, world())) == whole, moment
        assert apply("web1") == [], moment
        apply("web1", OPEN)


def test_a_killed_change_is_taken_back(net: Network) -> None:
    bare = _world_of(OPEN)
    for moment in host.kills(lambda: apply("web1", GUARDED), at_least=6):
        apply("web1", OPEN)
        assert sorted(map(repr, world())) == bare, moment
        assert apply("web1") == [], moment


def test_a_killed_clearing_is_completed(net: Network) -> None:
    bare = _world_of(OPEN)
    whole = _world_of(GUARDED)
    for moment in host.kills(lambda: apply("web1", OPEN), at_least=6):
        apply("web1")
        assert sorted(map(repr, world())) in (bare, whole), moment
        apply("web1", OPEN)
        assert sorted(map(repr, world())) == bare, moment
        apply("web1", GUARDED)


def test_a_killed_removal_is_completed(net: Network) -> None:
    apply("web1", state="absent")
    before = sorted(map(repr, world()))
    apply("web1", {**WEB1, **GUARDED})
    for moment in host.kills(lambda: apply("web1", state="absent"), at_least=6):
        apply("web1", state="absent")
        assert sorted(map(repr, world())) == before, moment
        apply("web1", {**WEB1, **GUARDED})


def test_a_jail_whose_removal_was_killed_leaves_nothing_once_another_changes(net: Network) -> None:
    """Also where nobody names the removed one again."""
    apply("web2", {"mode": "vnet", "addresses": ["10.36.0.12"], "forwards": [{"port": 9000}]})
    apply("web1", GUARDED)
    assert host.killed_at(7, lambda: apply("web1", state="absent"))
    apply("web1", state="absent")
    apply("web2", {"forwards": [{"port": 9001}]})
    assert "web1" not in repr(world())
