# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What others do to the network of a jail is seen and put back; what is theirs is left alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import network, places
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._kernel import files, links, namespaces, sysctls
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.tests.integration.engine import network_host as host

pyroute2 = pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("private_host")

DOCUMENT = host.jail(
    "web1", "10.20.0.11/32", "fd00:20::11/128", routes=[{"to": "10.99.0.0/16", "via": "10.20.0.1"}], mtu=1400
)


@pytest.fixture
def private_host(private_state: None) -> None:
    host.enter_private_host()


def _on_host(change: Callable[[links.Connection], object]) -> Callable[[], None]:
    def apply() -> None:
        with links.Connection() as connection:
            change(connection)

    return apply


def _in_jail(change: Callable[[links.Connection], object]) -> Callable[[], None]:
    def apply() -> None:
        with host.inside("web1"), links.Connection() as connection:
            change(connection)

    return apply


DAMAGE: dict[str, Callable[[], None]] = {
    "an IPv4 address of the jail is removed": _in_jail(lambda c: c.remove_address(host.link("eth0"), "10.20.0.11/32")),
    "an IPv6 address of the jail is removed": _in_jail(
        lambda c: c.remove_address(host.link("eth0"), "fd00:20::11/128")
    ),
    "an address is added in the jail": _in_jail(lambda c: c.add_address(host.link("eth0"), "10.66.6.6/32")),
    "the way out is removed": _in_jail(lambda c: c.remove_route(host.link("eth0"), "0.0.0.0/0", via="169.254.1.1")),
    "a route of the document is removed": _in_jail(
        lambda c: c.remove_route(host.link("eth0"), "10.99.0.0/16", via="10.20.0.1")
    ),
    "the link of the jail is down": _in_jail(lambda c: c.set_link(host.link("eth0"), up=False)),
    "the link of the jail has another MAC": _in_jail(lambda c: c.set_link(host.link("eth0"), mac="02:00:00:00:66:66")),
    "loopback is down": _in_jail(lambda c: c.set_link(host.link("lo"), up=False)),
    "the link of the jail is deleted inside": _in_jail(lambda c: c.delete(host.link("eth0"))),
    "the link on the host is down": _on_host(lambda c: c.set_link(host.link("jl1"), up=False)),
    "the link on the host has another mtu": _on_host(lambda c: c.set_link(host.link("jl1"), mtu=1280)),
    "the link on the host is deleted": _on_host(lambda c: c.delete(host.link("jl1"))),
    "the host route is removed": _on_host(lambda c: c.remove_route(host.link("jl1"), "10.20.0.11/32")),
    "the gateway is removed": _on_host(lambda c: c.remove_address(host.link("jl1"), "169.254.1.1/32")),
    "the filter of the link is gone": lambda: _remove_filter("jl1"),
    "source validation is switched off": lambda: sysctls.write("net/ipv4/conf/jl1/rp_filter", "0"),
    "the host switches IPv6 off": lambda: sysctls.write("net/ipv6/conf/jl1/disable_ipv6", "1"),
    "the pin is gone": lambda: namespaces.unpin(places.namespace("web1", "net")),
}


def _remove_filter(name: str) -> None:
    with pyroute2.IPRoute() as connection:
        connection.tc("del", "clsact", host.link(name).ifindex)


@pytest.mark.parametrize("damage", DAMAGE)
def test_it_is_seen_and_put_back_when(damage: str) -> None:
    network.ensure(DOCUMENT, 1)
    DAMAGE[damage]()
    seen = network.observe("web1", DOCUMENT)
    assert seen is None or not seen.up
    assert network.ensure(DOCUMENT, 1)
    _assert_whole()


def _assert_whole() -> None:
    live = network.observe("web1", DOCUMENT)
    assert live is not None and live.up
    assert tuple(live.addresses) == ("10.20.0.11/32", "fd00:20::11/128")
    assert host.answers("10.20.0.11")
    assert host.answers("fd00:20::11")
    assert not network.ensure(DOCUMENT, 1)


@pytest.mark.parametrize("address", ["10.20.0.11/32", "fd00:20::11/128"])
def test_an_address_that_one_end_does_not_know_does_not_count(address: str) -> None:
    network.ensure(DOCUMENT, 1)
    with links.Connection() as connection:
        connection.remove_route(host.link("jl1"), address)
    seen = network.observe("web1", DOCUMENT)
    assert seen is not None and address not in seen.addresses


def test_after_a_reboot_the_same_call_makes_everything_again() -> None:
    before = host.world()
    network.ensure(DOCUMENT, 1)
    whole = host.world()
    namespaces.unpin(places.namespace("web1", "net"))
    with links.Connection() as connection:
        connection.delete(host.link("jl1"))
    assert host.world() == before
    assert network.ensure(DOCUMENT, 1)
    assert host.world() == whole


def test_a_pair_that_a_process_kept_alive_is_replaced() -> None:
    network.ensure(DOCUMENT, 1)
    kept = host.namespace_fd("web1")
    assert kept is not None
    with files.closing(kept):
        namespaces.unpin(places.namespace("web1", "net"))
        assert host.has_link("jl1")
        seen = network.observe("web1")
        assert seen is not None and not seen.up
        assert network.ensure(DOCUMENT, 1)
        _assert_whole()


def test_a_pair_that_a_process_kept_alive_is_removed() -> None:
    before = host.world()
    network.ensure(DOCUMENT, 1)
    kept = host.namespace_fd("web1")
    assert kept is not None
    with files.closing(kept):
        namespaces.unpin(places.namespace("web1", "net"))
        assert network.remove("web1")
        assert host.world() == before


def test_the_pair_of_a_jail_that_is_no_more_makes_room_for_the_next() -> None:
    network.ensure(host.jail("old", "10.20.0.99/32"), 1)
    kept = host.namespace_fd("old")
    assert kept is not None
    with files.closing(kept):
        namespaces.unpin(places.namespace("old", "net"))
        assert network.ensure(DOCUMENT, 1)
        _assert_whole()


def test_the_pair_of_a_living_jail_is_not_taken() -> None:
    network.ensure(host.jail("old", "10.20.0.99/32"), 1)
    with pytest.raises(EngineError, match="jail web1: the host has a link jl1 that is not this jail's"):
        network.ensure(DOCUMENT, 1)
    assert host.answers("10.20.0.99")


def test_a_link_that_is_not_ours_is_never_removed() -> None:
    with links.Connection() as connection, files.closing(namespaces.new_network_namespace()) as elsewhere:
        connection.create_veth("jl1", peer="other", namespace=elsewhere, mac="02:00:00:00:00:01", mtu=1500)
        connection.set_link(host.link("jl1"), alias="the administrator's")
        before = host.link("jl1")
        with pytest.raises(EngineError, match=r"jail web1: the host has a link jl1 .*; give that link another name"):
            network.ensure(DOCUMENT, 1)
        network.remove("web1", 1)
        with pytest.raises(KernelError, match="EPERM"):
            connection.delete_link("jl1", expected_alias="hosting.jails web1")
        assert host.link("jl1") == before


def test_a_jail_that_owns_its_stack_cannot_pass_off_a_link_of_the_host_as_its_own() -> None:
    """Whoever has power over a network namespace chooses the indexes of the links in it."""
    network.ensure(host.jail("evil", "10.20.0.66/32"), 6)
    with files.closing(namespaces.new_network_namespace()) as elsewhere, pyroute2.IPRoute() as connection:
        peer = {"ifname": "other", "net_ns_fd": elsewhere}
        connection.link("add", ifname="victim", index=40, kind="veth", peer=peer)
        victim = host.link("victim")
        _replace_eth0_by_a_false_one("evil", peer=40)
        with host.inside("evil"):
            assert (host.link("eth0").ifindex, host.link("eth0").peer) == (victim.peer, victim.ifindex)
        seen = network.observe("evil")
        assert seen is not None and not seen.up
        assert network.ensure(host.jail("evil", "10.20.0.66/32"), 6)
        assert host.link("victim") == victim
        assert host.answers("10.20.0.66")
        _replace_eth0_by_a_false_one("evil", peer=40)
        network.remove("evil")
        assert host.link("victim") == victim


def _replace_eth0_by_a_false_one(jail: str, *, peer: int) -> None:
    inside = host.namespace_fd(jail)
    assert inside is not None
    with host.inside(jail), links.Connection() as connection:
        connection.delete(host.link("eth0"))
    accomplice = namespaces.new_network_namespace()
    with files.closing(inside), namespaces.visiting(accomplice, namespaces.NEWNET), pyroute2.IPRoute() as connection:
        connection.link("add", ifname="false", index=peer, kind="veth", peer={"ifname": "eth0"})
        connection.link("set", index=host.link("eth0").ifindex, net_ns_fd=inside)


def test_routes_of_the_administrator_through_a_jail_stay() -> None:
    network.ensure(DOCUMENT, 1)
    pyroute2.IPRoute().route("add", dst="10.50.0.0/16", oif=host.link("jl1").ifindex)
    live = network.observe("web1", DOCUMENT)
    assert live is not None and live.up
    network.change(DOCUMENT, host.jail("web1", "10.20.0.12/32"), 1)
    assert "route jl1 10.50.0.0/16" in host.world()


def test_a_jail_whose_number_changed_gets_a_link_of_the_new_name() -> None:
    network.ensure(DOCUMENT, 1)
    assert network.ensure(DOCUMENT, 2)
    assert host.has_link("jl2") and not host.has_link("jl1")
    assert host.answers("10.20.0.11")
