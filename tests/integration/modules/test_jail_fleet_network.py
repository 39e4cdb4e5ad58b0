# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What jails of one task take from the host and from each other: ports, rules, addresses on the host's links."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.modules.fleets import (
    PREFIX,
    actions,
    done,
    fleet,
    jail,
    member,
    refused,
    vnet,
)

pytestmark = pytest.mark.usefixtures("no_jails")

ECHO = (
    "import socket; s = socket.create_server(('', 80));\n"
    "while True:\n c, _ = s.accept(); c.sendall(socket.gethostname().encode()); c.close()"
)
SERVER = ["/usr/bin/python3", "-c", ECHO]
LINK = "fleet-test0"
HOST = "10.30.254.1"


@pytest.fixture(autouse=True)
def link() -> Iterator[None]:
    """A link of the host with an address that belongs to no jail."""
    for command in (
        f"ip link add {LINK} type veth peer name fleet-test1",
        f"ip address add {HOST}/24 dev {LINK}",
        f"ip link set {LINK} up",
        "ip link set fleet-test1 up",
    ):
        subprocess.run(command.split(), check=True)
    yield
    subprocess.run(["ip", "link", "del", LINK], check=True)


def forwarding(name: str, number: int, port: int) -> dict[str, Any]:
    forwards = [{"port": port, "to": 80, "host_address": HOST}]
    return member(name, ip={**vnet(number), "forwards": forwards}, command=SERVER)


def answer(port: int, address: str = HOST) -> str:
    """The host name of the jail that answers."""

    def ask() -> str:
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=2) as connection:
            return connection.recv(100).decode()
        return ""

    return jails.wait_until(ask, what=f"an answer on port {port}")[len(PREFIX) :]


def test_ports_are_forwarded_in_one_go_and_change_hands() -> None:
    entries = [forwarding(f"p{number}", number, 7000 + number) for number in range(1, 5)]
    made = done(*entries)
    assert {kind for kinds in actions(made).values() for kind in kinds} >= {"firewall.change"}
    assert [answer(7000 + number) for number in range(1, 5)] == ["p1", "p2", "p3", "p4"]
    assert not done(*entries)["changed"]
    swapped = [forwarding("p1", 1, 7002), forwarding("p2", 2, 7001), *entries[2:]]
    assert set(actions(done(*swapped))) == {"p1", "p2"}
    assert [answer(7001), answer(7002)] == ["p2", "p1"]
    done(*[{"name": entry["name"], "state": "absent"} for entry in entries])
    with pytest.raises(OSError):
        socket.create_connection((HOST, 7003), timeout=1)


def test_a_port_has_one_jail() -> None:
    mistakes = refused(forwarding("a", 1, 7001), forwarding("b", 2, 7001))
    assert list(mistakes) == ["jails[1].ip.forwards[0].port"]
    with socket.create_server((HOST, 7009)):
        mistakes = refused(forwarding("a", 1, 7009), forwarding("b", 2, 7002))
        assert list(mistakes) == ["jails[0].ip.forwards[0].port"]


def test_rules_that_somebody_flushed_are_put_back_for_all() -> None:
    entries = [forwarding(f"f{number}", number, 7000 + number) for number in range(1, 4)]
    done(*entries)
    subprocess.run(["nft", "flush", "table", "inet", "hosting_jails"], check=True)
    assert set(actions(done(*entries))) == {"f1", "f2", "f3"}
    assert [answer(7000 + number) for number in range(1, 4)] == ["f1", "f2", "f3"]


def shared(name: str, number: int) -> dict[str, Any]:
    ip = {"mode": "shared", "interface": LINK, "addresses": [f"10.30.254.{number}/32"]}
    return member(name, ip=ip, command=SERVER)


def test_shared_addresses_move_from_jail_to_jail() -> None:
    result = fleet(shared("s1", 11), shared("s2", 12))
    if result["failed"] and "kernel" in result["msg"]:
        pytest.skip(result["msg"])
    assert not result["failed"], result["msg"]
    assert [answer(80, "10.30.254.11"), answer(80, "10.30.254.12")] == ["s1", "s2"]
    swapped = [shared("s1", 12), shared("s2", 11)]
    # Its sockets stay where they were bound: a program that is to listen elsewhere has to be started again.
    done(*({**entry, "state": "restarted"} for entry in swapped))
    assert [answer(80, "10.30.254.11"), answer(80, "10.30.254.12")] == ["s2", "s1"]
    assert not done(*swapped)["changed"]
    assert jail("s1").state == "running"
