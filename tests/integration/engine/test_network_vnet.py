# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the network of a jail is like to those in it and to those around it."""

from __future__ import annotations

import errno
import os
import socket
import sys

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import network, places
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._kernel import (
    files,
    links,
    namespaces,
    rtnetlink,
    sysctls,
    user_namespaces,
)
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.tests.integration.engine import network_host as host

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("private_host")

ADDRESSES = ("10.20.0.11/32", "fd00:20::11/128")


@pytest.fixture
def private_host(private_state: None) -> None:
    host.enter_private_host()


@pytest.mark.parametrize("address", ["10.20.0.11", "fd00:20::11"])
def test_the_address_of_a_jail_answers_the_host(address: str) -> None:
    network.ensure(host.jail("web1", *ADDRESSES), 1)
    assert host.answers(address)


@pytest.mark.parametrize("address", ["10.20.0.12", "fd00:20::12"])
def test_no_other_address_answers(address: str) -> None:
    network.ensure(host.jail("web1", *ADDRESSES), 1)
    assert not host.answers(address, seconds=0.2)


def test_a_jail_of_one_family_has_no_wire_of_the_other() -> None:
    network.ensure(host.jail("web1", "10.20.0.11/32"), 1)
    network.ensure(host.jail("web2", "fd00:20::12/128"), 2)
    with host.inside("web1"):
        assert host.answers("169.254.1.1")
        assert not host.answers("fe80::1%eth0", seconds=0.2)
    with rtnetlink.Reader() as reader:
        assert [item.address for item in reader.addresses(host.link("jl1").ifindex)] == ["169.254.1.1/32"]
        assert [item.address for item in reader.addresses(host.link("jl2").ifindex)] == ["fe80::1/64"]


@pytest.mark.parametrize("address", ["10.20.0.12", "fd00:20::12"])
def test_two_jails_reach_each_other_through_the_host(address: str) -> None:
    network.ensure(host.jail("web1", *ADDRESSES), 1)
    network.ensure(host.jail("web2", "10.20.0.12/32", "fd00:20::12/128"), 2)
    if ":" in address and sysctls.read("net/ipv6/conf/jl1/force_forwarding") is None:
        sysctls.write("net/ipv6/conf/all/forwarding", "1")
    with host.inside("web1"):
        assert host.answers(address)


@pytest.mark.parametrize(
    ("own", "foreign", "gateway"),
    [("10.20.0.11", "10.20.0.12", "169.254.1.1"), ("fd00:20::11", "fd00:20::12", "fe80::1")],
)
def test_the_host_drops_what_a_jail_sends_from_another_address(own: str, foreign: str, gateway: str) -> None:
    network.ensure(host.jail("web1", *ADDRESSES), 1)
    network.ensure(host.jail("web2", "10.20.0.12/32", "fd00:20::12/128"), 2)
    family = socket.AF_INET6 if ":" in own else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.bind(("", 4000))
        server.settimeout(0.3)
        _send_from(own, gateway)
        assert server.recv(64) == own.encode()
        _send_from(foreign, gateway)
        with pytest.raises(TimeoutError):
            server.recv(64)


def _send_from(source: str, gateway: str) -> None:
    family, level, option = (socket.AF_INET6, 41, 75) if ":" in source else (socket.AF_INET, socket.SOL_IP, 19)
    with host.inside("web1"), socket.socket(family, socket.SOCK_DGRAM) as client:
        client.setsockopt(level, option, 1)  # IP_TRANSPARENT, IPV6_TRANSPARENT: any source
        client.bind((source, 0))
        scope = (0, host.link("eth0").ifindex) if ":" in source else ()
        client.sendto(source.encode(), (gateway, 4000, *scope))


def test_no_process_needs_a_privilege_to_forge_an_ipv6_address_and_none_succeeds() -> None:
    _pin_user_namespace("web1")
    network.ensure(host.jail("web1", *ADDRESSES), 1)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as server:
        server.bind(("::", 4000))
        server.settimeout(0.3)
        assert host.in_child(_forge_as_nobody) == "sent"
        with pytest.raises(TimeoutError):
            server.recv(64)


def _forge_as_nobody() -> str:
    _become_root_of("web1")
    os.setuid(1000)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
        client.setsockopt(41, 78, 1)  # IPV6_FREEBIND
        client.bind(("2001:db8::1", 0))
        client.sendto(b"forged", ("fe80::1", 4000, 0, host.link("eth0").ifindex))
    return "sent"


def test_the_metadata_service_of_a_cloud_is_out_of_reach() -> None:
    network.ensure(host.jail("web1", *ADDRESSES), 1)
    with links.Connection() as connection:
        connection.add_address(host.link("lo"), "169.254.169.254/32")
        connection.add_address(host.link("lo"), "192.0.2.1/32")
    with host.inside("web1"):
        assert host.answers("192.0.2.1")
        assert not host.answers("169.254.169.254", seconds=0.2)


def test_a_namespace_that_nobody_is_in_keeps_its_addresses() -> None:
    network.ensure(host.jail("web1", *ADDRESSES), 1)
    before = os.stat(places.namespace("web1", "net")).st_ino
    assert not network.ensure(host.jail("web1", *ADDRESSES), 1)
    assert os.stat(places.namespace("web1", "net")).st_ino == before
    assert host.answers("10.20.0.11")


def test_the_second_call_changes_nothing_and_needs_no_pyroute2(monkeypatch: pytest.MonkeyPatch) -> None:
    document = host.jail("web1", *ADDRESSES, routes=[{"to": "10.99.0.0/16", "via": "10.20.0.1"}], mtu=1400)
    assert network.ensure(document, 1)
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    assert not network.ensure(document, 1)
    live = network.observe("web1", document)
    assert live is not None and live.up
    assert (live.mode, tuple(live.addresses), live.mtu) == ("vnet", ADDRESSES, 1400)
    assert network.observe("web1") == live


def test_a_jail_without_network_has_loopback_alone() -> None:
    network.ensure(host.jail("quiet", mode="none"), 3)
    with host.inside("quiet"), rtnetlink.Reader() as reader:
        assert [item.name for item in reader.links() if item.up] == ["lo"]
        assert host.answers("127.0.0.1")
        assert host.answers("::1")
    live = network.observe("quiet")
    assert live is not None and (live.mode, live.up) == ("none", True)
    assert not network.ensure(host.jail("quiet", mode="none"), 3)


def test_a_jail_in_the_host_network_pins_nothing() -> None:
    assert not network.ensure(host.jail("open", mode="host"), 4)
    assert host.namespace_fd("open") is None
    assert network.observe("open") is None


def test_addresses_routes_and_mtu_change_while_connections_live() -> None:
    before = host.jail("web1", *ADDRESSES)
    after = host.jail(
        "web1", "10.20.0.11/32", "10.20.0.15/32", routes=[{"to": "10.99.0.0/16", "via": "10.20.0.1"}], mtu=1300
    )
    network.ensure(before, 1)
    with host.inside("web1"):
        listener = socket.create_server(("10.20.0.11", 80))
    client = socket.create_connection(("10.20.0.11", 80), 1)
    server, _unused = listener.accept()
    assert network.change(before, after, 1)
    client.sendall(b"still here")
    assert server.recv(16) == b"still here"
    assert host.answers("10.20.0.15")
    assert not host.answers("fd00:20::11", seconds=0.2)
    live = network.observe("web1", after)
    assert live is not None and (tuple(live.addresses), live.mtu, live.up) == (
        ("10.20.0.11/32", "10.20.0.15/32"),
        1300,
        True,
    )
    assert network.change(after, before, 1)
    assert host.answers("fd00:20::11")


def test_every_address_can_be_replaced_at_once() -> None:
    before, after = host.jail("web1", *ADDRESSES), host.jail("web1", "10.20.0.77/32", "fd00:20::77/128")
    network.ensure(before, 1)
    network.change(before, after, 1)
    assert host.answers("10.20.0.77") and host.answers("fd00:20::77")
    assert not host.answers("10.20.0.11", seconds=0.2)


def test_network_comes_and_goes_on_a_running_jail() -> None:
    off, on = host.jail("web1", mode="none"), host.jail("web1", *ADDRESSES)
    network.ensure(off, 1)
    pinned = os.stat(places.namespace("web1", "net")).st_ino
    assert network.change(off, on, 1)
    assert host.answers("10.20.0.11")
    assert network.change(on, off, 1)
    assert not host.has_link("jl1")
    live = network.observe("web1", off)
    assert live is not None and (live.mode, live.up) == ("none", True)
    assert os.stat(places.namespace("web1", "net")).st_ino == pinned


def test_the_host_network_cannot_be_given_to_a_running_jail() -> None:
    with pytest.raises(EngineError, match=r"jail web1: ip\.mode: .* while the jail runs; restart"):
        network.change(host.jail("web1", *ADDRESSES), host.jail("web1", mode="host"), 1)


def test_removal_leaves_the_host_as_it_was() -> None:
    before = host.world()
    network.ensure(host.jail("web1", *ADDRESSES), 1)
    assert host.world() != before
    assert network.remove("web1", 1)
    assert host.world() == before
    assert not network.remove("web1", 1)
    assert network.observe("web1") is None


def test_the_mac_is_the_same_after_a_reboot_and_another_in_each_jail() -> None:
    document = host.jail("web1", *ADDRESSES)
    network.ensure(document, 1)
    first = _mac("web1")
    network.remove("web1")
    network.ensure(document, 1)
    network.ensure(host.jail("web2", "10.20.0.12/32"), 2)
    assert _mac("web1") == first != _mac("web2")
    network.ensure(host.jail("web2", "10.20.0.12/32", mac="02:00:00:00:00:09"), 2)
    assert _mac("web2") == "02:00:00:00:00:09"


def _mac(jail: str) -> str:
    with host.inside(jail):
        return host.link("eth0").mac


def test_the_network_of_an_app_jail_belongs_to_the_host() -> None:
    _pin_user_namespace("web1")
    network.ensure(host.jail("web1", *ADDRESSES), 1)
    assert host.in_child(lambda: _delete_default_route_as_root_of("web1")) == "EPERM"


def test_the_network_of_a_system_jail_belongs_to_its_root() -> None:
    _pin_user_namespace("sys1")
    network.ensure(host.jail("sys1", *ADDRESSES, profile="vps"), 5)
    assert host.in_child(lambda: _delete_default_route_as_root_of("sys1")) == "done"


def test_a_network_of_another_owner_is_made_anew() -> None:
    _pin_user_namespace("sys1")
    network.ensure(host.jail("sys1", *ADDRESSES), 5)
    assert network.ensure(host.jail("sys1", *ADDRESSES, profile="vps"), 5)
    assert host.answers("10.20.0.11")
    assert host.in_child(lambda: _delete_default_route_as_root_of("sys1")) == "done"


def test_a_system_jail_without_its_user_namespace_gets_no_network_of_the_host() -> None:
    with pytest.raises(EngineError, match="jail sys1: its user namespace is not pinned"):
        network.ensure(host.jail("sys1", *ADDRESSES, profile="vps"), 5)
    assert network.observe("sys1") is None


def test_a_service_listens_on_port_80_without_power_over_the_network() -> None:
    _pin_user_namespace("web1")
    network.ensure(host.jail("web1", *ADDRESSES), 1)
    assert host.in_child(_listen_on_80) == "done"


def _pin_user_namespace(jail: str) -> None:
    path = places.namespace(jail, "user")
    os.makedirs(os.path.dirname(path))
    with files.closing(user_namespaces.create(base=524288, size=65536)) as fd:
        namespaces.pin(fd, path)


def _become_root_of(jail: str) -> None:
    for kind, flag in (("net", namespaces.NEWNET), ("user", namespaces.NEWUSER)):
        with files.closing(namespaces.open_pin(places.namespace(jail, kind))) as fd:
            namespaces.setns(fd, flag)


def _delete_default_route_as_root_of(jail: str) -> str:
    _become_root_of(jail)
    try:
        with links.Connection() as connection:
            connection.remove_route(host.link("eth0"), "0.0.0.0/0", via="169.254.1.1")
    except KernelError as error:
        return errno.errorcode[error.errno]
    return "done"


def _listen_on_80() -> str:
    _become_root_of("web1")
    socket.create_server(("10.20.0.11", 80)).close()
    return "done"
