# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root in a jail on the host's own network stack (mode shared): the host's network is in sight, and out of reach."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from .prisoners import ADDRESSES, FOREIGN_ADDRESS, LINK, OF_THE_HOST, Outside, Prisoner

_SHARED = {"app": "10.21.9.11", "system": "10.21.9.12", "weak": "10.21.9.13"}
_KINDS = {
    "app": {},
    "system": {"init": "system"},
    "weak": {"caps": {"keep": ["SYS_ADMIN", "NET_ADMIN", "NET_RAW"], "seccomp": "none"}},
}


@pytest.fixture(scope="module", params=_KINDS)
def shared(request: pytest.FixtureRequest, outside: Outside, neighbour: Prisoner, link: str) -> Iterator[Prisoner]:
    kind = request.param
    ip = {"mode": "shared", "interface": link, "addresses": [f"{_SHARED[kind]}/32"]}
    with outside.prisoner(f"shared-{kind}", ip=ip, **_KINDS[kind]) as prisoner:
        yield prisoner


def _own(prisoner: Prisoner) -> str:
    return _SHARED[prisoner.name.rpartition("-")[2]]


def test_it_binds_no_address_but_its_own(shared: Prisoner) -> None:
    own = _own(shared)
    others = {OF_THE_HOST, FOREIGN_ADDRESS, *ADDRESSES.values(), *_SHARED.values(), _main_address()} - {own}
    (outcome,) = shared.probe("bind_addresses_of_the_host", foreign_addresses=sorted(others)).values()
    assert outcome.allowed is False, outcome
    shared.refuses("bind_addresses_of_nobody")
    shared.refuses("bind_freely")
    shared.allows("bind_our_own_addresses")


def _main_address() -> str:
    """What the machine itself sends from; that of its link where it is on no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        try:
            made.connect(("192.0.2.1", 9))
        except OSError:
            return OF_THE_HOST
        return str(made.getsockname()[0])


@pytest.mark.parametrize(
    "attack",
    [
        "open_a_packet_socket",
        "open_raw_sockets",
        "mark_packets",
        "be_transparent",
        "bind_addresses_of_the_host",
        "send_from_addresses_of_the_host",
        "send_from_addresses_of_nobody",
        "change_addresses",
        "change_routes",
        "change_links",
        "change_neighbours",
        "change_the_firewall",
        "connect_to_loopback_of_the_host",
        "connect_to_abstract_sockets",
        "end_connections_of_others",
        "take_programs_off_the_group",
        "write_network_settings",
        "sniff_traffic_of_others",
        "leave_the_group",
        "trace_processes_of_others",
        "signal_processes_of_others",
        "mount_fresh_sysfs",
    ],
)
def test_it_does_not(shared: Prisoner, attack: str) -> None:
    shared.refuses(attack)


def test_it_shares_the_network_with_the_host_and_no_other_namespace(shared: Prisoner) -> None:
    shared.allows("share_the_network_with_the_host")
    shared.refuses("share_namespaces_with_the_host")


def test_with_a_filter_there_are_few_families_of_sockets_and_two_of_netlink(shared: Prisoner) -> None:
    if shared.name.endswith("weak"):
        pytest.skip("this one has no filter")
    shared.refuses("use_exotic_protocols")
    shared.refuses("use_exotic_families")
    program = (
        "import socket\nfor number in range(23):\n    try: socket.socket(16, 3, number); print(number)\n"
        "    except OSError: pass"
    )
    assert shared.output("python3", "-c", program).split() == ["0", "4"]


def test_what_the_host_has_is_in_sight_and_that_is_all(shared: Prisoner) -> None:
    """Said in docs/networks.md, and held here so that it stays true."""
    shared.allows("see_sockets_of_others")
    assert LINK in shared.output("ip", "-brief", "link")
