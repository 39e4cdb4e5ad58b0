# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root in a jail and the network of the host and of other jails (E30-E40)."""

from __future__ import annotations

import concurrent.futures
import subprocess
from pathlib import Path

from ansible_collections.hosting.jails.tests.integration import jails

from .prisoners import ADDRESSES, FOREIGN_ADDRESS, Prisoner

_PORT = 5021


def test_root_in_an_app_jail_cannot_open_a_packet_socket(app: Prisoner, weak: Prisoner) -> None:
    for jail in (app, weak):
        jail.refuses("open_a_packet_socket")


def test_root_in_an_app_jail_cannot_open_raw_sockets(app: Prisoner, weak: Prisoner) -> None:
    for jail in (app, weak):
        jail.refuses("open_raw_sockets")


def test_root_in_a_jail_cannot_reach_the_hypervisor(filtered: Prisoner) -> None:
    filtered.refuses("reach_the_hypervisor")
    filtered.refuses("use_the_kernels_cryptography")


def test_an_app_jail_has_four_families_of_sockets(app: Prisoner) -> None:
    app.refuses("use_exotic_families")


def test_a_system_jail_has_packet_sockets_besides(system: Prisoner) -> None:
    system.refuses("use_exotic_families")
    system.allows("open_a_packet_socket")
    system.allows("open_raw_sockets")


def test_a_jail_has_no_exotic_protocols(filtered: Prisoner) -> None:
    filtered.refuses("use_exotic_protocols")
    filtered.refuses("talk_to_the_audit_system")


def test_root_in_an_app_jail_cannot_set_privileged_socket_options(app: Prisoner, weak: Prisoner) -> None:
    for jail in (app, weak):
        for attack in ("mark_packets", "take_more_memory_for_sockets", "debug_sockets", "be_transparent"):
            jail.refuses(attack)


def test_root_in_an_app_jail_cannot_change_its_addresses(app: Prisoner, weak: Prisoner) -> None:
    for jail in (app, weak):
        jail.refuses("change_addresses")
        jail.refuses("change_neighbours")


def test_root_in_an_app_jail_cannot_change_its_routes(app: Prisoner, weak: Prisoner) -> None:
    for jail in (app, weak):
        jail.refuses("change_routes")
        jail.refuses("change_routing_rules")


def test_root_in_an_app_jail_cannot_change_its_links(app: Prisoner, weak: Prisoner) -> None:
    for jail in (app, weak):
        jail.refuses("change_links")
        jail.refuses("change_traffic_control")
        jail.refuses("change_the_firewall")


def test_a_jail_does_not_see_links_of_the_host(any_jail: Prisoner) -> None:
    any_jail.refuses("list_links_of_the_host")


def test_a_jail_cannot_connect_to_the_hosts_loopback(any_jail: Prisoner) -> None:
    any_jail.refuses("connect_to_loopback_of_the_host")


def test_a_jail_cannot_connect_to_abstract_sockets_of_others(any_jail: Prisoner) -> None:
    any_jail.refuses("connect_to_abstract_sockets")


def test_a_jail_does_not_see_sockets_of_others(any_jail: Prisoner) -> None:
    any_jail.refuses("see_sockets_of_others")


def test_a_jail_cannot_bind_addresses_of_others(app: Prisoner, weak: Prisoner) -> None:
    for jail in (app, weak):
        own = ADDRESSES[jail.name.rpartition("-")[2]]
        others = [address for address in (FOREIGN_ADDRESS, *ADDRESSES.values()) if address != own]
        (outcome,) = jail.probe("bind_addresses_of_the_host", foreign_addresses=others).values()
        assert outcome.allowed is False, outcome
        jail.refuses("bind_addresses_of_nobody")
        jail.refuses("send_from_addresses_of_nobody")


def test_root_in_an_app_jail_cannot_write_network_settings(app: Prisoner, weak: Prisoner) -> None:
    for jail in (app, weak):
        jail.refuses("write_network_settings")


def test_what_a_system_jail_sets_in_its_network_the_host_does_not_have(system: Prisoner) -> None:
    system.allows("write_network_settings")
    system.script("echo 65 > /proc/sys/net/ipv4/ip_default_ttl")
    assert system.output("cat", "/proc/sys/net/ipv4/ip_default_ttl") == "65\n"
    assert Path("/proc/sys/net/ipv4/ip_default_ttl").read_text() != "65\n"


def test_what_a_system_jail_does_to_its_links_the_host_does_not_see(system: Prisoner) -> None:
    before = _links()
    system.script("ip link add escape1 type bridge; ip link set escape1 up; ip link del escape1")
    assert _links() == before


def _links() -> list[str]:
    done = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith("jl")]


def test_what_a_jail_sends_from_an_address_that_is_not_its_own_reaches_nobody(
    system: Prisoner, neighbour: Prisoner, app: Prisoner
) -> None:
    """The system jail may bind any address, and write its own headers; what bears its own address does arrive."""
    program = (
        "import socket, sys; made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"made.bind(('', {_PORT})); made.settimeout({jails.PATIENCE}); print('bound', flush=True)\n"
        "heard = []\n"
        "while b'honest' not in heard:\n"
        "    heard.append(made.recv(2048))\n"
        "print(b'|'.join(heard).decode())\n"
    )
    command = jails.jailctl_command("exec", neighbour.name, "--", "python3", "-c", program)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout is not None
        assert listening.stdout.readline() == "bound\n"
        spoofed = [FOREIGN_ADDRESS, ADDRESSES["app"], "192.0.2.9", ADDRESSES["system"]]
        receiver = [ADDRESSES["other"], _PORT]
        (outcome,) = system.probe("send_from_addresses_of_others", spoofed=spoofed, receiver=receiver).values()
        heard = listening.stdout.read().strip()
    assert outcome.allowed, f"nothing could be sent, so nothing is proven: {outcome}"
    ways = ("bound", "raw", "frame")
    assert {f"{way} {FOREIGN_ADDRESS}" for way in ways} <= set(outcome.why)
    assert heard.split("|") == [*(f"spoofed {way} {ADDRESSES['system']}" for way in ways), "honest"]


def test_a_system_jail_cannot_hear_what_others_say(system: Prisoner, neighbour: Prisoner, app: Prisoner) -> None:
    secret = system.outside.token
    talk = (
        "import socket, time; made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"for _ in range(40): made.sendto(b'{secret}', ('{ADDRESSES['app']}', 9)); time.sleep(0.02)\n"
    )
    with concurrent.futures.ThreadPoolExecutor() as pool:
        listening = pool.submit(system.probe, "sniff_traffic_of_others", listen=1.5, secret=secret)
        neighbour.output("python3", "-c", talk)
        (outcome,) = listening.result().values()
    assert outcome.allowed is False, outcome
