# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hosting.jails.site and hosting.jails.status: from nothing to a fleet on a page. The tests are one story, in order."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.jails import Jail, jailctl, wait_until
from ansible_collections.hosting.jails.tests.integration.playbooks.site import DEAD, GOOD, PREFIX, TEMPLATE, Site

NAMES = [f"{PREFIX}all", f"{PREFIX}web1", f"{PREFIX}web2"]
HOSTILE = "<script>document.title='jailed'</script>{{ lookup('ansible.builtin.pipe', 'false') }}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    site.variables["jails_of_everyone"] = [{"name": NAMES[0], "labels": {"by": "{{ hostile }}"}}]
    site.variables["hostile"] = {"__ansible_unsafe": HOSTILE}
    site.hosts["node1"]["jails_of_this_host"] = [
        {"name": f"{PREFIX}web[1:2]", "ip": {"mode": "vnet", "addresses": ["10.34.1.[1:2]/32"]}, "depends": [NAMES[0]]}
    ]
    site.release(GOOD)
    with jails.nothing_left(PREFIX):
        try:
            yield site
        finally:
            for name in reversed(NAMES):
                Jail(name).remove()
            jails.templates.remove(TEMPLATE)


def states() -> list[str]:
    return [Jail(name).state for name in NAMES]


def test_check_mode_tells_what_would_be_and_does_nothing(site: Site) -> None:
    run = site.run("hosting.jails.site", "--check", "--skip-tags", "host")
    assert run.changed() == 2
    assert f"need {TEMPLATE}, which a real run would build first" in run.output
    assert states() == ["stopped"] * 3
    assert not jails.templates.current(TEMPLATE)


def test_a_plan_is_made_once_there_is_all_that_it_takes(site: Site) -> None:
    plan = site.directory / "plan.json"
    run = site.run("hosting.jails.site", "--skip-tags", "host", fleet_mode="plan", fleet_plan=str(plan))
    assert run.changed() == 2
    assert states() == ["stopped"] * 3
    assert sorted(json.loads(plan.read_text())["actions"]) == NAMES


def test_a_site_comes_from_nothing_with_the_jails_of_all_its_lists(site: Site) -> None:
    run = site.run("hosting.jails.site")
    assert run.changed() >= 1
    assert "3 total, 3 changed, 0 failed" in run.output
    assert states() == ["running"] * 3


def test_a_second_run_changes_nothing(site: Site) -> None:
    pids = [Jail(name).pid for name in NAMES]
    assert site.run("hosting.jails.site", "--skip-tags", "host").changed() == 0
    assert [Jail(name).pid for name in NAMES] == pids


def test_what_was_damaged_is_repaired_and_a_dead_host_keeps_nobody_from_it(site: Site) -> None:
    os.kill(Jail(NAMES[1]).pid, signal.SIGKILL)
    wait_until(lambda: Jail(NAMES[1]).state != "running")
    site.hosts["dead"] = DEAD
    run = site.run("hosting.jails.site", "--tags", "fleet")
    assert run.status != 0
    assert run.recap["dead"]["unreachable"] == 1
    assert (run.recap["node1"]["changed"], run.recap["node1"]["failed"]) == (1, 0)
    assert states() == ["running"] * 3


def test_a_bad_document_on_one_host_is_refused_before_any_host_is_touched(site: Site) -> None:
    site.hosts["dead"] = {**DEAD, "jails_of_this_host": [{"name": "web", "limits": {"memory": "a lot"}}]}
    run = site.run("hosting.jails.site")
    site.hosts["dead"] = DEAD
    assert run.status != 0
    assert "host dead: jail web: jails[1].limits.memory" in run.output
    assert "TASK [hosting.jails.host" not in run.output
    assert sum(row["changed"] + row["unreachable"] for row in run.recap.values()) == 0


def test_status_shows_the_fleet_its_dead_host_first_and_a_label_as_text(site: Site) -> None:
    Jail(NAMES[2]).converge(state="frozen")
    run = site.run("hosting.jails.status", status_seconds=1, status_fail_on="critical")
    assert run.status != 0
    assert "problems, the first: dead cannot be reached" in " ".join(run.output.split())
    page = (site.directory / "jails-status.html").read_text()
    assert all(f"<strong>{name}</strong>" in page for name in NAMES)
    assert page.index("cannot be reached") < page.index("is frozen")
    assert "by=&lt;script&gt;document.title=" in page
    assert page.count("<script>") == 1
    assert "lookup(&#39;ansible.builtin.pipe&#39;" in page
    jailctl("thaw", NAMES[2], check=True)
