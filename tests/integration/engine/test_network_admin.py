# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A network stack that is handed to the jail's root: all of it, and nobody else's."""

from __future__ import annotations

import socket
import subprocess
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.tests.integration.jails import PATIENCE, Jail, jail

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

ADDRESS, FOREIGN = "10.23.91.1", "10.23.91.77"
PORT = 9099
SPEAKING = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.bind((sys.argv[1], 0))
sender.sendto(sys.argv[1].encode(), ("169.254.1.1", int(sys.argv[2])))
"""


def administered(**ip: Any) -> Any:
    return jail("eng-admin", ip={"mode": "vnet", "addresses": [f"{ADDRESS}/32"], **ip})


def shell(it: Jail, script: str) -> subprocess.CompletedProcess[str]:
    return it.run("sh", "-c", script)


def test_the_root_of_such_a_jail_has_links_addresses_and_routes_of_his_own() -> None:
    with administered(admin=True) as it:
        done = shell(
            it,
            "set -e; ip link add dummy9 type veth peer name dummy8; ip link set dummy9 up;"
            " ip addr add 10.99.0.1/24 dev dummy9; ip route add 10.98.0.0/16 dev dummy9; ip route show 10.98.0.0/16",
        )
        assert done.returncode == 0, done.stderr
        assert "10.98.0.0/16 dev dummy9" in done.stdout
        host = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
        assert "dummy9" not in host


def test_without_it_he_has_not() -> None:
    with administered() as it:
        assert shell(it, "ip addr add 10.99.0.1/24 dev eth0").returncode != 0
        assert shell(it, "ip link set eth0 down").returncode != 0


def test_what_he_does_to_it_lets_no_packet_of_another_address_out() -> None:
    with administered(admin=True) as it, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("169.254.1.1", PORT))
        listener.settimeout(PATIENCE)
        assert shell(it, f"ip addr add {FOREIGN}/32 dev eth0").returncode == 0
        for address in (FOREIGN, ADDRESS):
            assert it.run("python3", "-c", SPEAKING, address, str(PORT)).returncode == 0
        assert listener.recv(99).decode() == ADDRESS
        listener.settimeout(1)
        with pytest.raises(TimeoutError):
            listener.recv(99)


def test_he_gets_no_other_power_over_the_kernel() -> None:
    with administered(admin=True) as it:
        assert shell(it, "echo 1 > /proc/sys/kernel/panic").returncode != 0
        assert shell(it, "mount -t tmpfs none /mnt").returncode != 0
        assert shell(it, "unshare -n true").returncode != 0


def test_giving_the_stack_away_waits_for_a_restart_and_addresses_stay() -> None:
    with administered() as it:
        result = it.converge(ip={"admin": True}, apply="live")
        assert result["restart_required"]
        assert shell(it, "ip link set eth0 down").returncode != 0
        it.converge(apply="restart")
        assert ADDRESS in shell(it, "ip -4 -brief addr").stdout
        assert shell(it, "ip link add dummy9 type veth peer name dummy8").returncode == 0
        assert not it.converge()["changed"]
        assert shell(it, "ip addr add 10.99.0.1/32 dev eth0").returncode == 0
        assert "10.99.0.1" in str(it.converge()["actions"])


def test_a_jail_on_the_stack_of_the_host_cannot_have_it() -> None:
    with (
        pytest.raises(DocumentError, match="ip.admin: in mode host the network is the host's"),
        jail("eng-admin", ip={"mode": "host", "admin": True}),
    ):
        pass
