# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jails on the host's network stack have their addresses and no others, and leave the host's alone."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import places, status
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet import converge as fleet
from ansible_collections.hosting.jails.plugins.module_utils._kernel import bpf, cgroup_bpf, sysctls
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.engine import network_host
from ansible_collections.hosting.jails.tests.integration.engine import shared_host as host
from ansible_collections.hosting.jails.tests.integration.engine.shared_host import A4, A6, B4, B6, HOST4, HOST6

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("shared")

A, B = "shr-a", "shr-b"


def test_a_jail_binds_its_own_addresses_and_no_others() -> None:
    with host.jail(A, A4, A6) as jail:
        for address, expected in (
            ("0.0.0.0", A4),
            ("127.0.0.1", A4),
            (A4, A4),
            (HOST4, "EADDRNOTAVAIL"),
            ("::", A6),
            ("::1", A6),
            (HOST6, "EADDRNOTAVAIL"),
        ):
            assert host.bound(jail, address) == expected


def test_root_in_a_jail_binds_low_ports_and_nobody_without_that_right() -> None:
    with host.jail(A, A4, A6) as jail:
        assert host.bound(jail, "0.0.0.0", 80) == A4
        assert host.bound(jail, "::", 80) == A6
    # A host that leaves low ports to everybody does not decide for its jails.
    sysctls.write("net/ipv4/ip_unprivileged_port_start", "0")
    with host.jail(A, A4, A6, caps={"allow": {"reserved_ports": False}}) as jail:
        for address, own in (("0.0.0.0", A4), (A4, A4), ("::", A6), (A6, A6), (f"::ffff:{A4}", f"::ffff:{A4}")):
            assert host.bound(jail, address, 80) == host.bound(jail, address, 1023) == "EACCES"
            assert host.bound(jail, address, 1024) == own
    with host.jail(A, A4, caps={"drop": ["NET_BIND_SERVICE"]}) as jail:
        assert host.bound(jail, "0.0.0.0", 80) == "EACCES"


def test_two_jails_serve_the_same_port_on_every_address() -> None:
    serving = host.server(80, "0.0.0.0", "::")
    with host.jail(A, A4, A6, command=serving), host.jail(B, B4, B6, command=serving) as other:
        for address in (A4, A6, B4, B6):
            assert host.ask(address, 80) == address
        for address in (HOST4, HOST6):
            assert host.ask(address, 80, listens=False) == "ECONNREFUSED"
        said = host.python(other, f"print(create_connection(('{A4}', 80)).recv(99).decode())")
        assert said == B4


def test_what_a_jail_sends_comes_from_its_address() -> None:
    with host.jail(A, A4, A6) as jail:
        for family, target, source in ((socket.AF_INET, HOST4, A4), (socket.AF_INET6, HOST6, A6)):
            with socket.socket(family, socket.SOCK_DGRAM) as receiver:
                receiver.bind((target, 0))
                receiver.settimeout(jails.PATIENCE)
                port = receiver.getsockname()[1]
                host.python(jail, f"socket({int(family)}, SOCK_DGRAM).sendto(b'x', ('{target}', {port}))")
                assert receiver.recvfrom(10)[1][0] == source


def test_the_first_process_of_a_jail_is_held() -> None:
    """The programs are there before it is."""
    server = host.server(80, "0.0.0.0")
    with host.jail(A, A4, init="none", command=server):
        assert host.ask(A4, 80) == A4
    for address in (HOST4, B4):
        # It binds at once, or after the moment that a start is watched for.
        with contextlib.suppress(EngineError), host.jail(A, A4, init="none", command=host.server(80, address)) as jail:
            jails.wait_until(lambda: jail.state == "failed", what="the server to fail")
            jails.wait_until(lambda: "Cannot assign requested address" in jail.log(), what="its complaint")


def test_a_jail_has_nothing_else_of_the_hosts_network() -> None:
    with host.jail(A, A4, A6) as jail:
        refused = {
            "raw": "(AF_INET, SOCK_RAW, 1)",
            "packet": "(AF_PACKET, SOCK_RAW, 0x300)",
            "echo": "(AF_INET, SOCK_DGRAM, 1)",
            "mptcp": "(AF_INET, SOCK_STREAM, 262)",
            "vsock": "(40, SOCK_STREAM)",
            "usersock": "(AF_NETLINK, SOCK_RAW, 2)",
            "uevents": "(AF_NETLINK, SOCK_RAW, 15)",
            "netfilter": "(AF_NETLINK, SOCK_RAW, 12)",
        }
        for name, arguments in refused.items():
            assert host.python(jail, f"socket{arguments}; print('open')") in (
                "EPERM",
                "EAFNOSUPPORT",
                "EPROTONOSUPPORT",
            ), name
        with socket.socket(socket.AF_UNIX) as service:
            service.bind("\0of-the-host")
            service.listen(1)
            assert host.python(jail, "socket(AF_UNIX).connect('\\0of-the-host'); print('in')") == "EPERM"


def test_a_jail_that_may_sends_echo_requests_from_its_address() -> None:
    send = f"""
s = socket(AF_INET, SOCK_DGRAM, 1)
s.settimeout({jails.PATIENCE})
if sys.argv[1]: s.bind((sys.argv[1], 0))
s.sendto(bytes([8, 0, 0, 0, 0, 0, 0, 1]), ('{HOST4}', 0))
print(s.recvfrom(99)[1][0])"""
    with host.jail(A, A4, caps={"allow": {"raw_sockets": True}}) as jail:
        assert host.python(jail, send, A4) == HOST4
        assert host.python(jail, send, "") == "EPERM"
        assert host.python(jail, send, HOST4) == "EPERM"


# Addresses of the host


def test_addresses_are_added_and_go_with_the_jail() -> None:
    before = network_host.world()
    with host.jail(A, A4, A6, state="present"):
        assert host.addresses() == [f"{HOST4}/24", f"{A4}/32", f"{A6}/128", f"{HOST6}/64"]
    assert network_host.world() == before


def test_the_host_itself_sends_from_none_of_them() -> None:
    with host.jail(A, A4, A6, state="present"):
        for family, target in ((socket.AF_INET, "10.35.0.99"), (socket.AF_INET6, "fd00:35::19")):
            with socket.socket(family, socket.SOCK_DGRAM) as made:
                made.connect((target, 9))
                assert made.getsockname()[0] in (HOST4, HOST6)


def test_an_address_that_is_there_is_used_and_left() -> None:
    host.ip(f"address add {A4}/24 dev lan")
    with host.jail(A, A4, B4, ip={"interface": host.LINK}) as jail:
        assert host.addresses() == [f"{HOST4}/24", f"{B4}/32", f"{HOST6}/64"]
        assert host.bound(jail, "0.0.0.0") == A4
    assert A4 in host.ip("address show dev lan")
    with host.jail(A, A4, ip={"interface": None}) as jail:
        assert host.bound(jail, "0.0.0.0") == A4
    assert A4 in host.ip("address show dev lan")


def test_a_task_that_changes_nothing_says_so() -> None:
    with host.jail(A, A4, A6) as jail:
        result = jail.converge(**host.definition(A4, A6))
        assert not result["changed"], result["actions"]


def test_addresses_change_on_a_running_jail() -> None:
    with host.jail(A, A4, A6, command=host.server(80, "0.0.0.0", "::")) as jail:
        assert host.ask(A4, 80) == A4
        pid = jail.pid
        result = jail.converge(part="ip", ip={"addresses": host.prefixed(A4, B4, B6)})
        assert result["changed"] and not result["restart_required"]
        assert result["actions"][-1] == f"network.change {A}: +{B4}/32, +{B6}/128, -{A6}/128"
        assert jail.pid == pid
        assert host.ask(A4, 80) == A4
        assert host.bound(jail, B4) == B4
        assert host.bound(jail, "::") == B6
        assert host.bound(jail, A6) == "EADDRNOTAVAIL"
        assert not jail.converge(part="ip")["changed"]


def test_another_order_of_addresses_is_another_first_one() -> None:
    with host.jail(A, A4, B4) as jail:
        result = jail.converge(part="ip", ip={"addresses": host.prefixed(B4, A4)})
        assert result["changed"]
        assert host.bound(jail, "0.0.0.0") == B4


def test_addresses_move_to_another_link() -> None:
    with host.jail(A, A4, A6) as jail:
        jail.converge(part="ip", ip={"interface": "lan"})
        assert host.addresses() == [f"{HOST4}/24", f"{HOST6}/64"]
        assert A4 in host.ip("address show dev lan")
        assert host.bound(jail, "0.0.0.0") == A4
        assert not jail.converge(part="ip")["changed"]


def test_an_address_that_somebody_has_removed_is_added_again() -> None:
    with host.jail(A, A4, A6) as jail:
        host.ip(f"address del {A4}/32 dev {host.LINK}")
        host.ip(f"address del {A6}/128 dev {host.LINK}")
        assert host.bound(jail, "0.0.0.0") == "EADDRNOTAVAIL"
        seen = jail.converge(check=True)
        assert seen["actions"] == [f"network.change {A}: +{A4}/32, +{A6}/128"]
        assert jail.converge()["changed"]
        assert host.bound(jail, "0.0.0.0") == A4
        assert not jail.converge()["changed"]


@pytest.mark.parametrize("hook", ["bind4", "sock_create", "egress"])
def test_a_program_that_somebody_has_removed_is_put_back(hook: str) -> None:
    with host.jail(A, A4) as jail:
        _detach(jail, hook)
        assert jail.converge()["actions"] == [f"network.change {A}: incomplete"]
        assert host.bound(jail, HOST4) == "EADDRNOTAVAIL"
        assert not jail.converge()["changed"]


def _detach(jail: jails.Jail, hook: str) -> None:
    group = os.open(jail.cgroup.unified, os.O_RDONLY)
    number = cgroup_bpf.HOOKS[hook].number
    program = bpf.open_program(bpf.attached(group, number)[0].id)
    bpf.detach(group, program, number)
    os.close(program)
    os.close(group)


@pytest.mark.parametrize("damage", ['{"10.', "[1]", '{"x": "y"}', '{"10.9.9.9/32": 3}'])
def test_a_damaged_record_of_addresses_is_mended_and_keeps_none_from_going(damage: str) -> None:
    before = network_host.world()
    with host.jail(A, A4, A6) as jail:
        with open(places.addresses(A), "w", encoding="utf-8") as record:
            record.write(damage)
        jail.converge(state="started")
        assert not jail.converge(state="started")["changed"]
        assert host.bound(jail, "0.0.0.0") == A4
        for path in (places.addresses(A), places.document(A)):
            with open(path, "w", encoding="utf-8") as record:
                record.write(damage)
        os.unlink(places.started_document(A))
        assert jail.converge(state="absent")["changed"]
        assert network_host.world() == before


def test_after_a_reboot_everything_is_made_again() -> None:
    with host.jail(A, A4, A6) as jail:
        jail.converge(state="stopped")
        for address in host.prefixed(A4, A6):
            host.ip(f"address del {address} dev {host.LINK}")
        os.unlink(places.addresses(A))
        jail.converge(state="started")
        assert host.bound(jail, "0.0.0.0") == A4


# Other modes


def test_from_and_to_other_modes_a_jail_changes_by_a_restart() -> None:
    with host.jail(A, A4, A6) as jail:
        for mode in ({"mode": "vnet"}, {"mode": "none", "addresses": []}, {"mode": "host", "addresses": []}):
            to = {"interface": "", **mode}
            back = host.definition(A4, A6)["ip"]
            for section, before in ((to, "shared"), (back, mode["mode"])):
                waiting = jail.converge(part="ip", ip=section)
                assert waiting["restart_required"], section
                assert waiting["reasons"][0].startswith(f"ip.mode: '{before}' -> '{section['mode']}'")
                done = jail.converge(part="ip", apply="restart")
                assert jail.state == "running"
                assert not jail.converge()["changed"], (section, done["actions"])
            assert host.bound(jail, "0.0.0.0") == A4
    assert host.addresses() == [f"{HOST4}/24", f"{HOST6}/64"]
    assert network_host.namespace_fd(A) is None


@pytest.mark.parametrize("mode", ["vnet", "none", "host"])
def test_a_stopped_jail_changes_its_mode_at_once(mode: str) -> None:
    addresses = host.prefixed(A4) if mode == "vnet" else []
    with host.jail(A, A4, state="present") as jail:
        jail.converge(part="ip", ip={"mode": mode, "interface": "", "addresses": addresses})
        assert host.addresses() == [f"{HOST4}/24", f"{HOST6}/64"]
        assert not jail.converge()["changed"]
        jail.converge(part="ip", ip=host.definition(A4)["ip"])
        assert f"{A4}/32" in host.addresses()
        assert network_host.namespace_fd(A) is None
        assert not jail.converge()["changed"]


# What cannot be


def test_an_address_of_another_jail_is_refused() -> None:
    with host.jail(A, A4, state="present"):
        for mode in ({}, {"mode": "vnet", "interface": None}):
            with pytest.raises(EngineError, match=f"it belongs to jail {A}") as refused:
                jails.converge(B, **host.definition(B4, A4, ip=mode))
            assert refused.value.path == "ip.addresses[1]"
    own = {"mode": "vnet", "interface": None}
    with host.jail(A, A4, state="present", ip=own), pytest.raises(EngineError, match=f"it belongs to jail {A}"):
        jails.converge(B, **host.definition(A4))


def test_a_link_that_does_not_exist_is_refused_before_anything_is_done() -> None:
    before = network_host.world()
    with pytest.raises(EngineError, match="this host has no link eth7") as refused:
        jails.converge(A, **host.definition(A4, ip={"interface": "eth7"}))
    assert refused.value.path == "ip.interface"
    assert network_host.world() == before
    assert not os.path.exists(places.document(A))


def test_an_address_that_no_link_is_named_for_is_refused() -> None:
    with pytest.raises(EngineError, match="is not an address of this host yet") as refused:
        jails.converge(A, **host.definition(A4, ip={"interface": None}))
    assert refused.value.path == "ip.interface"


def test_a_broadcast_address_of_the_host_is_refused() -> None:
    address = "10.35.0.255"
    host.ip(f"address add {HOST4[:-1]}2/24 broadcast {address} dev {host.LINK}")
    with pytest.raises(EngineError, match="is taken: it is a broadcast or multicast address"):
        jails.converge(A, **host.definition(address))


def test_a_link_without_ipv6_is_named() -> None:
    network_host.sysctls.write(f"net/ipv6/conf/{host.LINK}/disable_ipv6", "1")
    try:
        with pytest.raises(EngineError, match=f"IPv6 is switched off on {host.LINK}") as refused:
            jails.converge(A, **host.definition(A4, A6))
        assert refused.value.path == "ip.interface"
    finally:
        jails.Jail(A).remove()
    assert host.addresses() == [f"{HOST4}/24"]


def test_a_kernel_without_the_hooks_is_refused_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> cgroup_bpf.Abilities:
        raise KernelError("load", "bpf program", 22)

    monkeypatch.setattr(cgroup_bpf, "abilities", fail)
    with pytest.raises(EngineError, match="cannot hold a jail to its addresses") as refused:
        jails.converge(A, **host.definition(A4))
    assert refused.value.path == "ip.mode"
    assert not os.path.exists(places.document(A))


def test_a_jail_that_cannot_be_held_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with host.jail(A, A4, state="present") as jail:
        jails.dismiss_supervisor()

        def fail(*_unused: object, **_unused_too: object) -> bool:
            raise KernelError("attach", "bpf program to hook 8", 1)

        monkeypatch.setattr(cgroup_bpf, "hold", fail)
        with jails.own_supervisor():
            with pytest.raises(EngineError, match="attach bpf program to hook 8: EPERM"):
                jail.converge(state="started")
            assert jail.state == "failed"
            assert not status.group(A).exists()
        monkeypatch.undo()


def test_sysctls_of_the_network_are_the_hosts() -> None:
    with pytest.raises(DocumentError, match="with ip.mode: shared this is the host's own sysctl"):
        jails.converge(A, **host.definition(A4, sysctls={"net.ipv4.ip_forward": "1"}))


# What is said


def test_services_of_the_host_that_have_a_jails_ports_are_named() -> None:
    with socket.socket(socket.AF_INET6) as everywhere, socket.socket() as own:
        everywhere.bind(("::", 2222))
        everywhere.listen(1)
        own.bind((HOST4, 2223))
        own.listen(1)
        with host.jail(A, A4, state="present") as jail:
            result = jail.converge(state="started")
            (warning,) = result["warnings"]
            assert f"2222/tcp (python, pid {os.getpid()})" in warning or "2222/tcp (pytest" in warning
            assert "2223" not in warning
            assert host.bound(jail, "0.0.0.0", 2222) == "EADDRINUSE"
            assert [row["port"] for row in jail.describe("network")["network"]["shadowed"]] == [2222]
            assert "warnings" not in jail.converge(state="started")


def test_the_network_of_a_jail_is_described() -> None:
    with host.jail(A, A4, A6) as jail:
        assert jail.describe("network")["network"] == {
            "mode": "shared",
            "addresses": host.prefixed(A4, A6),
            "mtu": None,
            "traffic": None,
            "up": True,
            "interface": host.LINK,
            "shadowed": [],
        }
        report = {row["item"]: row["verdict"] for row in jail.describe("privileges")["privileges"]["report"]}
        assert report["addresses"] == "enforced"
        assert "removed addresses" not in report
        assert "abstract sockets" in report


def test_observation_needs_no_pyroute2(monkeypatch: pytest.MonkeyPatch) -> None:
    with host.jail(A, A4, A6) as jail:
        monkeypatch.setitem(sys.modules, "pyroute2", None)
        assert not jail.converge()["changed"]
        monkeypatch.undo()


def test_other_capabilities_wait_for_a_restart() -> None:
    with host.jail(A, A4) as jail:
        assert jail.converge(part="caps", caps={"drop": ["NET_BIND_SERVICE"]})["restart_required"]
        assert not jail.converge()["changed"]
        assert host.bound(jail, "0.0.0.0", 80) == A4
        jail.converge(apply="restart")
        assert host.bound(jail, "0.0.0.0", 80) == "EACCES"
        assert not jail.converge()["changed"]


# Many at once


def _fleet(**addresses: list[str]) -> dict[str, Any]:
    """What a task of jail_fleet returns that defines and starts jails with these addresses."""
    members = [{"name": name, "state": "started", **host.definition(*own)} for name, own in addresses.items()]
    options = {
        "fleet": "shr",
        "purge": "none",
        "allow_empty": False,
        "purge_limit": "25%",
        "parallel": 2,
        "defaults": {},
    }
    options |= {"apply": "live", "mode": "converge", "plan": None, "verbose_results": True, "jails": members}
    return fleet.converge(options, check=False, with_diff=False)


def test_jails_of_a_fleet_share_the_stack_and_exchange_addresses() -> None:
    names = {"shr-a": [A4, A6], "shr-b": [B4, B6]}
    with contextlib.ExitStack() as stack, socket.socket() as everywhere:
        everywhere.bind(("", 2222))
        everywhere.listen(1)
        for name in names:
            stack.callback(jails.Jail(name).remove)
        first = _fleet(**names)
        assert not first["failed"], first
        assert len(first["warnings"]) == 1
        assert "2222/tcp" in first["warnings"][0]
        assert not _fleet(**names)["changed"]
        exchanged = _fleet(**{"shr-a": [B4, A6], "shr-b": [A4, B6]})
        assert not exchanged["failed"], exchanged
        assert host.bound(jails.Jail("shr-a"), "0.0.0.0") == B4
        assert host.bound(jails.Jail("shr-b"), "0.0.0.0") == A4
        assert sorted(host.addresses()) == sorted([f"{HOST4}/24", f"{HOST6}/64", *host.prefixed(A4, B4, A6, B6)])
        assert not _fleet(**{"shr-a": [B4, A6], "shr-b": [A4, B6]})["changed"]
    assert host.addresses() == [f"{HOST4}/24", f"{HOST6}/64"]
