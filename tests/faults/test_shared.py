# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killed at any step, a jail on the host's stack leaves no address on the host's link, and the host's own are kept."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import places, status
from ansible_collections.hosting.jails.plugins.module_utils._engine.shared_addresses import ip_of
from ansible_collections.hosting.jails.plugins.module_utils._kernel import announcements, files, links
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.plugins.module_utils._kernel.rtnetlink import Reader
from ansible_collections.hosting.jails.tests.faults.tasks import NAME, run, supervised, task, template, whole_jail
from ansible_collections.hosting.jails.tests.faults.test_kills import completed, kills, removed
from ansible_collections.hosting.jails.tests.faults.world import settled, world

LINK, OF_THE_HOST, OWN4, OTHER4, OWN6 = "host0", "10.22.9.1", "10.22.9.11/32", "10.22.9.12/32", "fd00:22::11/128"


def shared(*addresses: str, **given: Any) -> dict[str, Any]:
    return whole_jail(ip={"mode": "shared", "interface": LINK, "addresses": list(addresses)}, **given)


DEFINED = task(**shared(OWN4, OWN6))


def ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True, capture_output=True)


@pytest.fixture
def before() -> Iterator[list[str]]:
    """The machine with a link that has an address of the host's own, a template and a supervisor."""
    ip(f"link add {LINK} type veth peer name host1")
    ip(f"link set {LINK} up")
    ip(f"address add {OF_THE_HOST}/24 dev {LINK}")
    ip(f"address add {OTHER4} dev {LINK}")
    run(template)
    with supervised():
        yield world()


def test_a_killed_definition_and_start_are_completed(before: list[str]) -> None:
    for moment in kills(DEFINED, every=2):
        completed(DEFINED, state="running", moment=moment)
        removed(before, moment)


def test_a_killed_definition_and_start_are_removed(before: list[str]) -> None:
    for moment in kills(DEFINED, every=3):
        removed(before, moment)


def test_a_killed_change_of_addresses_is_completed(before: list[str]) -> None:
    addresses = ["10.22.9.13/32", OTHER4, OWN6]
    change = task(None, part="ip", ip={"addresses": addresses})
    for moment in kills(change, prepared=DEFINED, every=9):
        completed(change, state="running", moment=moment)
        removed(before, moment)


@pytest.mark.parametrize("mode", ["vnet", "none", "host"])
def test_a_killed_change_of_the_mode_is_completed(before: list[str], mode: str) -> None:
    addresses = [OWN4] if mode == "vnet" else []
    change = task(None, part="ip", apply_mode="restart", ip={"mode": mode, "interface": "", "addresses": addresses})
    for moment in kills(change, prepared=DEFINED, every=9):
        completed(change, state="running", moment=moment)
        removed(before, moment)


def test_a_killed_change_to_the_hosts_stack_is_completed(before: list[str]) -> None:
    own = task(**whole_jail(ip={"mode": "vnet", "addresses": [OWN4]}))
    change = task(None, part="ip", apply_mode="restart", ip=shared(OWN4)["ip"])
    for moment in kills(change, prepared=own, every=9):
        completed(change, state="running", moment=moment)
        removed(before, moment)


def test_a_killed_removal_is_completed(before: list[str]) -> None:
    for moment in kills(task("absent"), prepared=DEFINED, every=3):
        completed(task("absent"), state="absent", moment=moment)
        assert settled(before) == [], moment


def _failing(owner: Any, name: str, number: int) -> Callable[[], None]:
    """Have a step of the work refused by the kernel."""

    def prepare() -> None:
        def fail(*_unused: Any, **_unused_too: Any) -> None:
            raise KernelError(name, LINK, number)

        _replace(owner, name, fail)

    return prepare


def _replace(owner: Any, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(links.Connection, "carry_address"), (announcements, "announce"), (files, "write_record")],
)
def test_what_the_kernel_refuses_fails_the_task_and_leaves_nothing(before: list[str], owner: Any, name: str) -> None:
    outcome = run(DEFINED, prepare=_failing(owner, name, 5))
    assert outcome.failure
    removed(before, 0)


def test_an_address_that_the_kernel_routes_to_late_is_waited_for(before: list[str]) -> None:
    def prepare() -> None:
        route_to, asked = Reader.route_to, []

        def late(reader: Reader, address: str) -> Any:
            if address != ip_of(OWN6):
                return route_to(reader, address)
            asked.append(time.monotonic())
            return route_to(reader, address) if asked[-1] > asked[0] + 0.5 else None

        _replace(Reader, "route_to", late)

    outcome = run(DEFINED, prepare=prepare)
    assert (outcome.failure, outcome.state) == ("", "running")
    removed(before, 0)


def test_an_address_that_the_host_has_got_meanwhile_is_used_and_left(before: list[str]) -> None:
    assert not run(DEFINED).failure
    ip(f"address del {OWN4} dev {LINK}")
    ip(f"address add {OWN4} dev {LINK}")
    assert not run(DEFINED).changed
    assert not run(task("absent")).failure
    assert OWN4 in subprocess.run(["ip", "address"], capture_output=True, text=True, check=True).stdout
    ip(f"address del {OWN4} dev {LINK}")
    assert settled(before) == []


def test_a_lost_record_keeps_no_address_on_the_host(before: list[str]) -> None:
    assert not run(DEFINED).failure
    files.remove_file(places.addresses(NAME))
    assert run(DEFINED).changed
    files.remove_file(places.addresses(NAME))
    removed(before, 0)


def test_a_removed_link_is_said_and_comes_back(before: list[str]) -> None:
    assert not run(DEFINED).failure
    ip(f"link del {LINK}")
    outcome = run(task("started"))
    assert f"this host has no link {LINK}" in outcome.failure
    assert status.run_state(NAME) == "running"
    assert not run(task("absent")).failure
