# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change of a jail is killed at its steps: the same task completes it, and the one before it takes it back."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.faults.tasks import (
    cut_short,
    run,
    stride,
    supervised,
    task,
    template,
    whole_jail,
)
from ansible_collections.hosting.jails.tests.faults.world import settled, world

Task = Callable[[], Any]

_OPEN = {"policy": "accept", "rules": []}
_WIRE = {"addresses": ["192.0.2.10/24"], "gateway": ["192.0.2.1"]}
# What a killed writer has left of a document goes with the next that is written, or with the jail. What the supervisor
# does besides (it looks after rules that have changed) is not to be compared: strays() tells what stays of it.
_PASSING = r"^left: file /(etc|run)/jails/.*\.tmp$|process (?!/bin/sleep)"


def ip(**options: Any) -> Task:
    section = {"mode": "vnet", "addresses": ["10.22.0.2/32"], "bridge": "", "parent": "", "gateway": [], **options}
    return task(None, part="ip", ip=section)


def closed(*ports: int) -> dict[str, Any]:
    return {
        "firewall": {
            "inbound": {"policy": "drop", "rules": [{"protocol": "tcp", "ports": list(ports)}]},
            "outbound": {"policy": "reject", "rules": [{"to": ["10.0.0.0/8"]}]},
        },
        "forwards": [{"port": 8000 + port, "to": port} for port in ports],
        "masquerade": True,
    }


def limits(**given: Any) -> Task:
    return task(None, limits={"memory": "64M", "pids": 50, **given})


CHANGES = {
    "a firewall and forwards": (
        ip(firewall={"inbound": _OPEN, "outbound": _OPEN}, forwards=[], masquerade=False),
        ip(**closed(80, 443)),
    ),
    "other rules and another address": (ip(**closed(80)), ip(**closed(22), addresses=["10.22.0.3/32"])),
    "a network of its own, with a bandwidth": (
        ip(mode="none", addresses=[], bandwidth={}),
        ip(bandwidth={"ingress": "10M", "egress": "5M"}),
    ),
    "from a route to a bridge": (ip(), ip(bridge="br0", **_WIRE)),
    "from a bridge to a macvlan": (ip(bridge="br0", **_WIRE), ip(parent="host1", **_WIRE)),
    "limits": (limits(), limits(memory="80M", swap="0", cpus=1, cpu_weight=50, cpuset="0", pids=60)),
    "frozen and thawed": (task("frozen"), task("started")),
}


def host(command: str) -> str:
    return subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout


def rules() -> str:
    """What is in the host's packet filter and shapes its links, without numbers that count."""
    if not shutil.which("nft"):
        return ""
    text = host("nft --stateless list ruleset") + host("tc qdisc show")
    return re.sub(r"# handle \d+|qdisc (\w+) \w+:", r"\1", text)


@pytest.fixture
def before() -> Iterator[list[str]]:
    """The machine with a link, a bridge, a template and a supervisor."""
    host("ip link add host0 type veth peer name host1")
    host("ip link add br0 type bridge")
    for name in ("host0", "host1", "br0"):
        host(f"ip link set {name} up")
    run(template)
    with supervised():
        yield world()


def done(work: Task, moment: int = 0) -> None:
    outcome = run(work)
    assert not outcome.failure, (moment, outcome.failure)


@pytest.mark.parametrize("change", CHANGES)
def test_a_killed_change_is_completed_or_taken_back(before: list[str], change: str) -> None:
    earlier, later = CHANGES[change]
    done(task(**whole_jail()))
    expected = {}
    for wish in (later, earlier):
        done(wish)
        expected[wish] = (world(), rules())
    steps = run(later).steps
    assert steps > 2
    every = stride(31)
    for number, moment in enumerate(range(2, steps + 1, every)):
        for again in (earlier, later) if every == 1 else [(earlier, later)[number % 2]]:
            done(earlier, moment)
            cut_short(later, moment)
            done(again, moment)
            assert not run(again).changed, moment
            there, filtered = expected[again]
            assert settled(there, passing=_PASSING) == [], moment
            assert rules() == filtered, moment
    done(task("absent"))
    assert settled(before) == []
