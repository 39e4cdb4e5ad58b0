# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An address has one owner on a host, whoever comes first."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import (
    network,
    network_conflicts,
    places,
    store,
)
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._kernel import links
from ansible_collections.hosting.jails.tests.integration.engine import network_host as host

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("private_host")


@pytest.fixture
def private_host(private_state: None) -> None:
    host.enter_private_host()


@pytest.mark.parametrize("address", ["10.20.0.11/32", "fd00:20::11/128"])
def test_an_address_of_the_host_is_refused(address: str) -> None:
    with links.Connection() as connection:
        connection.add_address(host.link("lo"), address)
    before = host.world()
    with pytest.raises(
        EngineError,
        match=rf"jail web1: ip\.addresses\[1\]: {address} is taken: it is an address of this host, on lo; give",
    ):
        network.ensure(host.jail("web1", "10.20.0.1/32", address), 1)
    assert host.world() == before


@pytest.mark.parametrize("address", ["10.20.0.11/32", "fd00:20::11/128"])
def test_an_address_of_another_jail_is_refused(address: str) -> None:
    network.ensure(host.jail("web1", address), 1)
    before = host.world()
    with pytest.raises(
        EngineError, match=rf"jail web2: ip\.addresses\[0\]: {address} is taken: it belongs to jail web1"
    ):
        network.ensure(host.jail("web2", address), 2)
    assert host.world() == before


def test_an_address_of_a_jail_that_is_only_a_document_is_refused() -> None:
    store.prepare_directories()
    store.write_document("web1", host.jail("web1", "10.20.0.11/32"))
    with pytest.raises(EngineError, match=r"jail web2: ip\.addresses\[0\]: .* it belongs to jail web1"):
        network.ensure(host.jail("web2", "10.20.0.11/32"), 2)


def test_the_damaged_document_of_another_jail_is_no_obstacle() -> None:
    store.prepare_directories()
    with open(places.document("broken"), "w", encoding="utf-8") as file:
        file.write("{")
    network.ensure(host.jail("web2", "10.20.0.11/32"), 2)
    assert host.answers("10.20.0.11")


def test_an_address_that_the_host_routes_elsewhere_is_refused() -> None:
    with links.Connection() as connection:
        connection.add_route(host.link("lo"), "10.20.0.11/32")
    with pytest.raises(EngineError, match=r"jail web1: ip\.addresses\[0\]: .* this host routes it through lo"):
        network.ensure(host.jail("web1", "10.20.0.11/32"), 1)


def test_the_network_of_a_jail_may_lie_in_a_network_of_the_host() -> None:
    with links.Connection() as connection:
        connection.add_address(host.link("lo"), "10.20.0.1/24")
        connection.add_route(host.link("lo"), "10.21.0.0/24")
    network.ensure(host.jail("web1", "10.21.0.11/32"), 1)
    assert host.answers("10.21.0.11")


def test_of_two_that_come_at_once_the_kernel_lets_one_win(monkeypatch: pytest.MonkeyPatch) -> None:
    network.ensure(host.jail("web1", "10.20.0.11/32"), 1)
    monkeypatch.setattr(network_conflicts, "refuse_conflicts", lambda *_: None)
    with pytest.raises(EngineError, match=r"jail web2: ip\.addresses\[0\]: 10\.20\.0\.11/32 is taken"):
        network.ensure(host.jail("web2", "10.20.0.11/32"), 2)
    assert host.answers("10.20.0.11")
    network.remove("web2", 2)
    assert host.answers("10.20.0.11")


def test_a_live_address_moves_when_its_jail_gives_it_up() -> None:
    first, second = host.jail("web1", "10.20.0.11/32", "10.20.0.12/32"), host.jail("web1", "10.20.0.11/32")
    network.ensure(first, 1)
    network.change(first, second, 1)
    network.ensure(host.jail("web2", "10.20.0.12/32"), 2)
    assert host.answers("10.20.0.12")


def test_a_host_without_pyroute2_is_told_what_to_install_for_a_bandwidth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    limited = host.jail("web1", "10.20.0.11/32", bandwidth={"ingress": "2M"})
    message = r"jail web1: ip\.bandwidth: pyroute2 is not installed .*; install python3-pyroute2"
    with pytest.raises(EngineError, match=message):
        network.preflight(limited)
    with pytest.raises(EngineError, match=message):
        network.ensure(limited, 1)
    network.ensure(host.jail("web1", "10.20.0.11/32"), 1)
    assert host.answers("10.20.0.11")


@pytest.mark.parametrize("address", ["10.20.0.11/32", "fd00:20::11/128"])
def test_what_would_be_refused_is_refused_before_anything_is_done(address: str) -> None:
    network.ensure(host.jail("web1", address), 1)
    network.preflight(host.jail("web1", address))
    with pytest.raises(EngineError, match=r"jail web2: ip\.addresses\[0\]: .* belongs to jail web1"):
        network.preflight(host.jail("web2", address))
    network.preflight(host.jail("web2", "10.20.0.12/32"))
    network.preflight(host.jail("web2", mode="host"))
    assert network.observe("web2") is None


def test_the_addresses_of_all_documents_are_read_once_for_many_jails() -> None:
    store.prepare_directories()
    store.write_document("web1", host.jail("web1", "10.20.0.11/32"))
    store.write_document("web2", host.jail("web2", "10.20.0.12/32"))
    assert network_conflicts.taken_addresses("web2") == {"10.20.0.11/32": "web1"}
