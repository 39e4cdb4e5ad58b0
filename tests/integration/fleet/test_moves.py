# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jails that are dealt out to hosts, and move when a host goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.hosting.jails.tests.hosts import archives
from ansible_collections.hosting.jails.tests.hosts.host import Host
from ansible_collections.hosting.jails.tests.integration.fleet.runs import Controller

_SITE = ("hosting.jails.site", "--tags", "templates,fleet")
_ALL = {f"app{number}" for number in range(1, 10)}
_DOCUMENT = {"name": "app[1:9]", "ip": {"mode": "vnet", "addresses": ["10.33.150.[1:9]/32"]}}
_VARIABLES: dict[str, Any] = {
    "jails_templates": [{"name": "small", "source": {"archive": {"path": f"{archives.SHOWN}/small.tar"}}}],
    "jails_defaults": {"rootfs": {"source": {"template": "small"}}, "command": ["sleep", "100000"], "init": "none"},
    "jails_fleet": "apps",
    "jails_purge": "absent",
    "fleet_purge_limit": "100%",
    "fleet_allow_empty": True,
    "placed": "{{ apps | hosting.jails.expand | hosting.jails.place(nodes) }}",
    "jails_of_all": "{{ placed[inventory_hostname] | default([]) }}",
}


def _pids(host: Host) -> dict[str, int]:
    return {row["name"]: row["pid"] for row in json.loads(host.run("jailctl", "list", "--json").stdout)}


def test_what_a_host_had_moves_and_nothing_else_is_touched(hosts: list[Host], tmp_path: Path) -> None:
    controller = Controller(tmp_path, hosts[:3])
    *staying, leaving = hosts[:3]
    limit = ("--limit", ":".join(host.name for host in hosts[:3]))
    nodes = {host.name: {} for host in hosts[:3]}

    def describe(*, apps: list[dict[str, Any]]) -> None:
        controller.describe(**_VARIABLES, nodes=nodes, apps=apps)

    describe(apps=[_DOCUMENT])
    controller.succeed(*_SITE, *limit)
    before = {host.name: _pids(host) for host in hosts[:3]}
    assert set().union(*before.values()) == _ALL
    assert before[leaving.name]
    try:
        del nodes[leaving.name]
        describe(apps=[_DOCUMENT])
        # Its addresses are free before anybody else takes them.
        controller.succeed(*_SITE, "--limit", leaving.name)
        assert not _pids(leaving)
        controller.succeed(*_SITE, *limit)
        after = {host.name: _pids(host) for host in staying}
        assert set().union(*after.values()) == _ALL
        assert all(after[host.name].items() >= before[host.name].items() for host in staying)
        assert controller.succeed(*_SITE, *limit).changed() == {host.name: 0 for host in hosts[:3]}
    finally:
        describe(apps=[])
        controller.succeed(*_SITE, *limit)
