# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hosting.jails.upgrade on several hosts, which keep step. The tests are one story, in their order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.hosts.host import Host
from ansible_collections.hosting.jails.tests.integration.fleet.runs import Controller, Run
from ansible_collections.hosting.jails.tests.integration.playbooks.site import GOOD, pack

_ARCHIVE = "/root/app.tar"
_JAILS = {1: ["app1", "app2", "app3"], 2: ["app1", "app2", "app3"], 3: ["app1"]}
_VARIABLES: dict[str, Any] = {
    "jails_templates": [{"name": "app", "source": {"archive": {"path": _ARCHIVE}}}],
    "jails_fleet": "upgrade",
    "jails_defaults": {"rootfs": {"source": {"template": "app"}}, "command": ["app"], "init": "none"},
    "jails_by_number": {str(number): [{"name": name} for name in names] for number, names in _JAILS.items()},
    "jails_of_all": "{{ jails_by_number[inventory_hostname | regex_search('[0-9]+$')] }}",
    "upgrade_settle": 1,
}
# Good anywhere but in the jail app2.
_BAD = f"#!/bin/sh\nread name </proc/sys/kernel/hostname\ntest $name != app2 || exit 1\n{GOOD}"


class Fleet:
    """Three hosts with seven jails on one template."""

    def __init__(self, directory: Path, hosts: list[Host]) -> None:
        self.hosts = hosts
        self._archive = directory / "app.tar"
        self._controller = Controller(directory / "controller", hosts, **_VARIABLES)

    def run(self, playbook: str, *options: str, **extra: Any) -> Run:
        """Run a playbook of ours with extra variables."""
        limit = ":".join(host.name for host in self.hosts)
        return self._controller.run(
            f"hosting.jails.{playbook}", "--limit", limit, "--extra-vars", json.dumps(extra), *options
        )

    def end(self) -> None:
        """Remove all jails, as the documentation says."""
        gone = {"fleet_jails": [], "jails_purge": "absent", "fleet_purge_limit": "100%", "fleet_allow_empty": True}
        run = self.run("site", "--tags", "fleet", **gone)
        assert run.status == 0, run.output
        assert [host.run("jailctl", "list", "--json").stdout.strip() for host in self.hosts] == ["[]"] * len(self.hosts)

    def release(self, program: str, *, worse: str = "", on: Host | None = None) -> None:
        """Put a new program onto all hosts, and on one another that is worse."""
        for host in self.hosts:
            pack(worse if host is on else program, into=self._archive)
            with self._archive.open("rb") as archive:
                host.run("sh", "-c", f"cat > {_ARCHIVE}", stdin=archive)

    def generations(self) -> list[dict[str, str]]:
        """On what the jails of each host stand; of the current generation the name is "new"."""
        return [_generations(host) for host in self.hosts]


def _generations(host: Host) -> dict[str, str]:
    script = "cat /var/lib/jails/templates/app/current; echo; cat /var/lib/jails/roots/*/rootfs.json"
    current, _newline, manifests = host.run("sh", "-c", script).stdout.partition("\n")
    decoder, found = json.JSONDecoder(), {}
    while manifests.strip():
        manifest, end = decoder.raw_decode(manifests.lstrip())
        manifests = manifests.lstrip()[end:]
        found[manifest["jail"]] = "new" if manifest["generation"] == current.strip() else manifest["generation"]
    return found


def _running(host: Host) -> bool:
    return all(row["state"] == "running" for row in json.loads(host.run("jailctl", "list", "--json").stdout))


def _moves(run: Run) -> list[tuple[str, list[str]]]:
    """Which jails were moved to something new, on which host, in the order of the runs' results."""
    found = []
    for result in run.results:
        rows = [row for row in result.get("results", ()) if "jail" in row and row["changed"]]
        found += [(result["_host"], [row["item"] for row in rows])] if rows else []
    return found


@pytest.fixture(scope="module")
def fleet(hosts: list[Host], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("upgrade"), hosts[:3])
    fleet.release(GOOD)
    made = fleet.run("site", "--tags", "templates,fleet")
    assert made.status == 0, made.output
    yield fleet
    fleet.end()
    for host in fleet.hosts:
        host.run("rm", _ARCHIVE)


def test_hosts_keep_step_and_a_drained_one_keeps_nobody(fleet: Fleet) -> None:
    first, second, third = fleet.hosts
    assert fleet.run("drain", "--limit", third.name).status == 0
    fleet.release(f"{GOOD}# 2\n")
    run = fleet.run("upgrade", upgrade_waves=[1, 2])
    assert run.status == 0, run.output
    waves = [jails for _host, jails in _moves(run)]
    assert waves == [["app1"], ["app1"], ["app2", "app3"], ["app2", "app3"]], run.output
    assert {host for host, _jails in _moves(run)[:2]} == {first.name, second.name}
    assert run.changed()[third.name] == 0
    assert all(map(_running, (first, second)))
    assert fleet.run("drain", "--limit", third.name, drain_state="restored").status == 0
    assert fleet.run("upgrade").changed()[third.name] > 0
    assert [set(jails.values()) for jails in fleet.generations()] == [{"new"}] * 3
    assert fleet.run("upgrade").changed() == {host.name: 0 for host in fleet.hosts}


def test_whoever_was_stopped_before_its_first_jail_moved_does_not_build_again(fleet: Fleet) -> None:
    first, second, third = fleet.hosts
    fleet.release(f"{GOOD}# 2.1\n")
    second.run("rm", _ARCHIVE)
    stopped = fleet.run("upgrade")
    assert {name for name, counts in stopped.recap().items() if counts["failed"]} == {second.name}
    assert _moves(stopped) == []
    assert [set(jails.values()) for jails in fleet.generations()] == [{"new"}] * 3, "the earlier one is current again"
    fleet.release(f"{GOOD}# 2.1\n")
    run = fleet.run("upgrade")
    assert run.status == 0, run.output
    steps = {
        row["_host"]: row["actions"][0].split()[0] for row in run.results if row.get("template") and row["changed"]
    }
    assert steps == {first.name: "template.switch", second.name: "template.build", third.name: "template.switch"}
    assert [set(jails.values()) for jails in fleet.generations()] == [{"new"}] * 3
    assert all(map(_running, fleet.hosts))


def test_a_wave_that_fails_on_one_host_is_the_last_on_all(fleet: Fleet) -> None:
    first, second, third = fleet.hosts
    fleet.release(f"{GOOD}# 3\n", worse=_BAD, on=second)
    run = fleet.run("upgrade", upgrade_waves=[1])
    assert run.status != 0
    assert {name for name, counts in run.recap().items() if counts["failed"]} == {second.name}
    output = " ".join(run.output.split())
    assert "The jails of this wave have what they had before: app2" in output
    assert (
        f"The upgrade stopped at {second.name}. Here these were moved and are well: app1, app2; these are on" in output
    )
    # New jails come from what has proven itself, and whoever was moved and is well stays; a host that was done is done.
    assert all(map(_running, fleet.hosts))
    assert [sorted(jail for jail in jails if jails[jail] == "new") for jails in fleet.generations()] == [
        ["app3"],
        ["app2", "app3"],
        ["app1"],
    ]


def test_others_go_on_if_so_many_may_fail(fleet: Fleet) -> None:
    """Each from where it was stopped: what was built is not built again, and who stands on it is not moved."""
    first, second, _third = fleet.hosts
    run = fleet.run("upgrade", upgrade_waves=[1], upgrade_max_failed=1)
    assert run.status != 0
    assert {name for name, counts in run.recap().items() if counts["failed"]} == {second.name}
    assert all(map(_running, fleet.hosts))
    assert [set(jails.values()) == {"new"} for jails in fleet.generations()] == [True, False, True]
    assert [jails for host, jails in _moves(run) if host == first.name] == [["app3"]]
