# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Twenty-five jails on each of four hosts: from nothing, again, damaged at random, and with a host that dies."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest
from ansible_collections.hosting.jails.tests.hosts import archives, power, segment, sets
from ansible_collections.hosting.jails.tests.hosts.host import Host
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.fleet import damage
from ansible_collections.hosting.jails.tests.integration.fleet.runs import Controller, Run

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


_EMPTY = {**_VARIABLES, "jails_of_all": [], "fleet_allow_empty": True, "fleet_purge_limit": "100%"}
# Hosts and templates are as they should be, and stay out of it.
_JAILS_ONLY = ("--tags", "fleet")


class Site(NamedTuple):
    """Hosts with their jails, and the run that has brought them there."""

    controller: Controller
    first: Run

    @property
    def hosts(self) -> Sequence[Host]:
        return self.controller.hosts


@pytest.fixture(scope="module")
def site(hosts: list[Host], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The hosts have no jails before and after."""
    controller = Controller(tmp_path_factory.mktemp("site"), hosts, **_VARIABLES)
    yield Site(controller, controller.succeed(SITE))
    controller.describe(**_EMPTY)
    controller.succeed(SITE, *_JAILS_ONLY)
    assert [_states(host) for host in hosts] == [{}] * len(hosts)


def _states(host: Host) -> dict[str, str]:
    return {row["name"]: row["state"] for row in json.loads(host.run("jailctl", "list", "--json").stdout)}


def _all_up(host: Host) -> bool:
    states = _states(host)
    return len(states) == JAILS_OF_A_HOST and [name for name in states if states[name] != "running"] == ["spare"]


def _nothing(hosts: Sequence[Host]) -> dict[str, int]:
    return {host.name: 0 for host in hosts}


def test_all_jails_come_from_nothing_in_one_run(site: Site) -> None:
    assert [len(site.first.changed_jails(host.name)) for host in site.hosts] == [JAILS_OF_A_HOST] * len(site.hosts)
    assert all(map(_all_up, site.hosts))


def test_the_second_run_changes_nothing(site: Site) -> None:
    second = site.controller.succeed(SITE)
    assert second.changed() == _nothing(site.hosts), second.output


def test_exactly_what_was_damaged_is_foreseen_and_repaired(site: Site) -> None:
    damaged = {host.name: damage.inflict_at_random(host, _WEB, seed=host.number) for host in site.hosts}
    expected = {name: set(what) for name, what in damaged.items()}
    foreseen = site.controller.succeed(SITE, "--check", *_JAILS_ONLY)
    assert {name: foreseen.changed_jails(name) for name in damaged} == expected, damaged
    repaired = site.controller.succeed(SITE)
    assert {name: repaired.changed_jails(name) for name in damaged} == expected, damaged
    # The jails of the hosts are one task's, and nothing else was damaged.
    assert repaired.changed() == {host.name: 1 for host in site.hosts}, repaired.output
    assert all(map(_all_up, site.hosts))


def test_a_host_that_dies_leaves_the_others_done_and_is_completed_by_the_next_run(site: Site) -> None:
    *others, dying = site.hosts
    site.controller.describe(**_EMPTY)
    site.controller.succeed(SITE, *_JAILS_ONLY)
    site.controller.describe(**_VARIABLES)
    since = time.monotonic()
    process = site.controller.start(SITE, *_JAILS_ONLY)
    started = f"test $(ls /run/jails/*/state.json 2> /dev/null | wc -l) -ge {JAILS_OF_A_HOST // 3}"
    jails.wait_until(
        lambda: dying.run("sh", "-c", started, check=False).returncode == 0, what="some jails", timeout=120
    )
    dying.cut()
    interrupted = site.controller.finish(process, since=since)
    assert interrupted.recap()[dying.name]["unreachable"] == 1, interrupted.output
    assert all(map(_all_up, others))
    power.switch_on(dying)
    dying.wait_ready(sets.BOOT_SECONDS)
    completed = site.controller.succeed(SITE, *_JAILS_ONLY)
    assert all(map(_all_up, site.hosts))
    assert completed.changed() == {**_nothing(others), dying.name: 1}, completed.output


def test_a_bad_document_among_500_is_refused_before_any_host_is_touched(site: Site) -> None:
    """No host can be touched: all cables are pulled."""
    many: list[dict[str, Any]] = [{"name": f"n{number}"} for number in range(500 // len(site.hosts))]
    many[100]["limits"] = {"memory": "{{ 'lots' if host_number | int == 3 else '64M' }}"}
    site.controller.describe(**{**_VARIABLES, "jails_of_all": many})
    for host in site.hosts:
        segment.set_cable(host.prefix, host.name, plugged=False)
    try:
        run = site.controller.run(SITE)
    finally:
        for host in site.hosts:
            segment.set_cable(host.prefix, host.name, plugged=True)
        site.controller.describe(**_VARIABLES)
    assert [counts["unreachable"] for counts in run.recap().values()] == [0] * len(site.hosts), run.output
    refusals = {row["_host"]: row["errors"] for row in run.results if row["failed"]}
    assert refusals, run.output
    for [error] in refusals.values():
        assert (error["host"], error["jail"], error["path"]) == (site.hosts[2].name, "n100", "jails[100].limits.memory")
