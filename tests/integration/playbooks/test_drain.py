# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hosting.jails.drain, and the role templates where it removes what nobody uses: both are about all of a host.

So they see a host of their own, on which there is nothing of anybody else's.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import store
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import templates
from ansible_collections.hosting.jails.tests.integration.jails import Jail
from ansible_collections.hosting.jails.tests.integration.playbooks.site import GOOD, PREFIX, TEMPLATE, Site

pytestmark = pytest.mark.usefixtures("private_state")

MEMORY = Path("/var/lib/hosting.jails/drained.json")
DB, WEB, OFF = (Jail(f"{PREFIX}{name}") for name in ("db", "web", "off"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    site.release(GOOD)
    MEMORY.parent.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", str(MEMORY.parent)], check=True)
    templates.ensure(TEMPLATE, site.variables["jails_templates"][0]["source"])
    try:
        yield site
    finally:
        for name in sorted(store.names(), reverse=True):
            Jail(name).remove()


def autostarting() -> list[str]:
    return [name for name in store.names() if (store.read_document(name) or {}).get("autostart")]


def test_a_host_is_drained_left_alone_and_brought_back_as_it_was(site: Site) -> None:
    whole = site.variables["jails_defaults"]
    DB.converge(state="started", autostart=True, **whole)
    WEB.converge(state="frozen", depends=[DB.name], **whole)
    OFF.converge(state="stopped", autostart=True, **whole)

    documents = [store.read_document(jail.name) for jail in (DB, WEB, OFF)]

    refused = site.run("hosting.jails.drain")
    assert refused.status != 0
    assert "Say which hosts" in refused.output
    assert DB.state == "running"

    run = site.run("hosting.jails.drain", "--limit", "node1")
    assert run.changed() == 2
    assert run.output.index(f"(item={WEB.name})") < run.output.index(f"(item={DB.name})")
    assert {jail.state for jail in (DB, WEB, OFF)} == {"stopped"}
    assert autostarting() == []
    assert json.loads(MEMORY.read_text()) == {
        "states": {DB.name: "running", WEB.name: "frozen"},
        "autostart": [DB.name, OFF.name],
    }
    assert site.run("hosting.jails.drain", "--limit", "node1").changed() == 0

    site.variables["jails"] = [{"name": DB.name}]
    run = site.run("hosting.jails.site", "--tags", "fleet")
    assert run.changed() == 0
    assert "This host is drained" in run.output

    run = site.run("hosting.jails.drain", "--limit", "node1", drain_state="restored")
    assert run.changed() == 2
    assert run.output.index(f"(item={DB.name})") < run.output.index(f"(item={WEB.name})")
    assert [jail.state for jail in (DB, WEB, OFF)] == ["running", "frozen", "stopped"]
    assert [store.read_document(jail.name) for jail in (DB, WEB, OFF)] == documents
    assert not MEMORY.exists()
    assert site.run("hosting.jails.drain", "--limit", "node1", drain_state="restored").changed() == 0


def test_templates_are_refreshed_when_they_are_old_and_pruned_when_nobody_stands_on_them(site: Site) -> None:
    play = site.directory / "play.yml"
    play.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "roles": ["hosting.jails.templates"]}]))
    DB.converge(state="stopped", **site.variables["jails_defaults"])
    for name in ("unused", "spared"):
        templates.ensure(f"{PREFIX}{name}", {"empty": True})
    first = templates.current(TEMPLATE)
    site.release(f"{GOOD}# newer\n")

    def run(*arguments: str, **extra: object) -> int:
        return site.run(str(play), *arguments, templates_prune_except=[f"{PREFIX}spared"], **extra).changed()

    assert run() == 0
    assert run("--check", templates_refresh_days=0, templates_prune=True) == 2
    assert templates.current(TEMPLATE) == first
    assert run(templates_refresh_days=0, templates_prune=True) == 2
    assert [manifest == first for manifest in templates.generations(TEMPLATE)] == [True, False]
    assert templates.names() == [TEMPLATE, f"{PREFIX}spared"]
    assert run(templates_refresh_days=0, templates_prune=True) == 0
