# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine is killed at each of its steps; the next run completes or undoes the work and leaks nothing."""

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import network
from ansible_collections.hosting.jails.tests.integration.engine import network_host as host

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("private_host")

BEFORE = host.jail("web1", "10.20.0.11/32", "fd00:20::11/128")
AFTER = host.jail(
    "web1", "10.20.0.12/32", "fd00:20::12/128", routes=[{"to": "10.99.0.0/16", "via": "10.20.0.1"}], mtu=1400
)
NONE = host.jail("web1", mode="none")


@pytest.fixture
def private_host(private_state: None) -> None:
    host.enter_private_host()


def _whole(document: dict[str, object]) -> bool:
    live = network.observe("web1", document)
    return live is not None and live.up


def test_a_killed_creation_is_completed() -> None:
    for moment in host.kills(lambda: network.ensure(BEFORE, 1), at_least=2):
        network.ensure(BEFORE, 1)
        assert _whole(BEFORE), moment
        assert host.answers("10.20.0.11"), moment
        network.remove("web1", 1)


def test_a_killed_creation_is_undone() -> None:
    before = host.world()
    for moment in host.kills(lambda: network.ensure(BEFORE, 1), at_least=2):
        network.remove("web1", 1)
        assert host.world() == before, moment


def test_a_killed_creation_gives_way_to_another_document() -> None:
    for moment in host.kills(lambda: network.ensure(BEFORE, 1), at_least=2):
        network.ensure(NONE, 1)
        assert _whole(NONE), moment
        assert not host.has_link("jl1"), moment
        network.remove("web1", 1)


def test_a_killed_change_is_completed() -> None:
    network.ensure(BEFORE, 1)
    for moment in host.kills(lambda: network.change(BEFORE, AFTER, 1), at_least=2):
        network.change(BEFORE, AFTER, 1)
        assert _whole(AFTER), moment
        assert host.answers("10.20.0.12") and not host.answers("10.20.0.11", seconds=0.05), moment
        network.change(AFTER, BEFORE, 1)


def test_a_killed_change_is_taken_back() -> None:
    network.ensure(BEFORE, 1)
    before = host.world()
    for moment in host.kills(lambda: network.change(BEFORE, AFTER, 1), at_least=2):
        network.change(AFTER, BEFORE, 1)
        assert _whole(BEFORE), moment
        assert host.world() == before, moment


def test_a_killed_removal_is_completed() -> None:
    before = host.world()
    network.ensure(BEFORE, 1)
    for moment in host.kills(lambda: network.remove("web1", 1), at_least=2):
        network.remove("web1", 1)
        assert host.world() == before, moment
        network.ensure(BEFORE, 1)


def test_a_killed_removal_is_taken_back() -> None:
    network.ensure(BEFORE, 1)
    before = host.world()
    for moment in host.kills(lambda: network.remove("web1", 1), at_least=2):
        network.ensure(BEFORE, 1)
        assert host.world() == before, moment
