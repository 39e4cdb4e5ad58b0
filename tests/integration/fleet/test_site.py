# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Twenty-five jails on each of four hosts: from nothing, again, damaged at random, and with a host that dies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.hosts import archives, power, sets
from ansible_collections.hosting.jails.tests.hosts.host import Host
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.fleet import damage
from ansible_collections.hosting.jails.tests.integration.fleet.runs import Controller

SITE = "hosting.jails.site"
JAILS_OF_A_HOST = 25
# Addresses of jails: 10.33.HUNDREDS + number of the host.
_VARIABLES: dict[str, Any] = {
    "host_number": "{{ inventory_hostname | regex_search('[0-9]+$') | int }}",
    "network": "10.33.{{ 100 + host_number | int }}",
    "network6": "fd00:33:{{ host_number }}:",
    "jails_templates": [{"name": "small", "source": {"archive": {"path": f"{archives.SHOWN}/small.tar"}}}],
    "jails_fleet": "site",
    "jails_purge": "absent",
    "jails_defaults": {
        "rootfs": {"source": {"template": "small"}},
        "command": ["sleep", "100000"],
        "limits": {"memory": "64M", "pids": 20},
        "labels": {"tier": "front"},
        "stop": {"timeout": 2},
    },
    "jails_of_all": [
        {
            "name": "web[01:20]",
            "ip": {"mode": "vnet", "addresses": ["{{ network }}.[1:20]/32", "{{ network6 }}:[1:20]/128"]},
            "depends": ["db"],
        },
        {"name": "db", "ip": {"mode": "vnet", "addresses": ["{{ network }}.100/32"]}},
        {"name": "worker[1:3]", "depends": ["db"]},
        {"name": "spare", "state": "stopped"},
    ],
}
_WEB = [f"web{number:02}" for number in range(1, 21)]


@pytest.fixture(scope="module")
def controller(hosts: list[Host], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """Describes the jails of the hosts, which have none before and after."""
    made = Controller(tmp_path_factory.mktemp("site"), hosts, **_VARIABLES)
    yield made
    made.describe(**{**_VARIABLES, "jails_of_all": [], "fleet_allow_empty": True, "fleet_purge_limit": "100%"})
    made.succeed(SITE)
    assert [_states(host) for host in hosts] == [{}] * len(hosts)


def _states(host: Host) -> dict[str, str]:
    import json

    return {row["name"]: row["state"] for row in json.loads(host.run("jailctl", "list", "--json").stdout)}


def _all_up(host: Host) -> bool:
    states = _states(host)
    return len(states) == JAILS_OF_A_HOST and [name for name in states if states[name] != "running"] == ["spare"]


def test_a_site_comes_from_nothing_and_stays_as_it_is(controller: Controller) -> None:
    first = controller.succeed(SITE)
    for host in controller.hosts:
        assert len(first.changed_jails(host.name)) == JAILS_OF_A_HOST
        assert _all_up(host)
    second = controller.succeed(SITE)
    assert second.changed() == dict.fromkeys([host.name for host in controller.hosts], 0), second.output


def test_exactly_what_was_damaged_is_repaired(controller: Controller) -> None:
    controller.succeed(SITE)
    damaged = {host.name: damage.inflict_at_random(host, _WEB, seed=host.number) for host in controller.hosts}
    foreseen = controller.succeed(SITE, "--check")
    assert {name: foreseen.changed_jails(name) for name in damaged} == {
        name: set(what) for name, what in damaged.items()
    }
    repaired = controller.succeed(SITE)
    assert {name: repaired.changed_jails(name) for name in damaged} == {
        name: set(what) for name, what in damaged.items()
    }
    assert all(map(_all_up, controller.hosts))
    assert controller.succeed(SITE).changed() == dict.fromkeys(damaged, 0)


def test_a_host_that_dies_leaves_the_others_done_and_is_completed_by_the_next_run(controller: Controller) -> None:
    *others, dying = controller.hosts
    controller.describe(**{**_VARIABLES, "jails_of_all": [], "fleet_allow_empty": True, "fleet_purge_limit": "100%"})
    controller.succeed(SITE)
    controller.describe(**_VARIABLES)
    since = time.monotonic()
    process = controller.start(SITE)
    started = f"test $(ls /run/jails/*/state.json 2> /dev/null | wc -l) -ge {JAILS_OF_A_HOST // 3}"
    jails.wait_until(
        lambda: dying.run("sh", "-c", started, check=False).returncode == 0, what="some jails", timeout=120
    )
    dying.cut()
    interrupted = controller.finish(process, since=since)
    assert interrupted.recap()[dying.name]["unreachable"] == 1, interrupted.output
    assert all(map(_all_up, others))
    power.switch_on(dying)
    dying.wait_ready(sets.BOOT_SECONDS)
    completed = controller.succeed(SITE)
    assert all(map(_all_up, controller.hosts))
    assert {name: count for name, count in completed.changed().items() if name != dying.name} == dict.fromkeys(
        [host.name for host in others], 0
    )
