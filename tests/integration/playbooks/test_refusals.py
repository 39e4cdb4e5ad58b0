# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks that are asked for what cannot be done: they say so before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import templates
from ansible_collections.hosting.jails.tests.integration.jails import Jail
from ansible_collections.hosting.jails.tests.integration.playbooks.site import (
    DEAD,
    GOOD,
    PREFIX,
    TEMPLATE,
    Site,
    standing,
)

ALONE = Jail(f"{PREFIX}alone")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running jail without an address, on a template that has something newer."""
    with standing(tmp_path_factory.mktemp("refusals"), {ALONE.name: "started"}) as site:
        site.release(f"{GOOD}# 2\n")
        yield site


def test_a_name_that_no_host_has_is_refused_with_those_that_there_are(site: Site) -> None:
    site.hosts["dead"] = DEAD
    run = site.run("hosting.jails.upgrade", upgrade_templates=[TEMPLATE, "rol-ap"])
    del site.hosts["dead"]
    assert run.status != 0
    said = f"upgrade_templates: no host of this run has rol-ap. There are: {TEMPLATE}. Not answered: dead."
    assert said in " ".join(run.output.split()), run.output


def test_a_check_that_cannot_reach_a_jail_is_refused_before_anything_is_changed(site: Site) -> None:
    """Two hosts that are one, as nothing is done to any."""
    pid, generation = ALONE.pid, templates.current(TEMPLATE)
    site.hosts["node1"] = {"upgrade_port": 80}
    site.hosts["node2"] = {"upgrade_uri": "http://{{ upgrade_address }}/"}
    run = site.run("hosting.jails.upgrade", upgrade_settle=0)
    output = " ".join(run.output.split())
    for what, nothing in (("upgrade_port", "0"), ("upgrade_uri", "''")):
        why = f"jail {ALONE.name}: it has no address (ip.mode is none), so {what} cannot reach it."
        assert f"{why} Have {what} be {nothing} for it" in output, run.output
    assert [(row["failed"], row["changed"]) for row in run.recap.values()] == [(1, 0)] * 2
    assert (ALONE.pid, templates.current(TEMPLATE)) == (pid, generation)


@pytest.mark.parametrize(
    ("playbook", "variable", "said"),
    [
        ("site", "jails_hosts", "The inventory has no host in node9. Put the jail hosts into the group jail_hosts"),
        ("status", "jails_hosts", "The inventory has no host in node9. Put the jail hosts into the group jail_hosts"),
        ("upgrade", "jails_hosts", "The inventory has no host in node9. Put the jail hosts into the group jail_hosts"),
        ("drain", "drain_hosts", "The inventory has no host in node9: correct drain_hosts."),
    ],
)
def test_a_pattern_that_is_no_hosts_is_an_error(site: Site, playbook: str, variable: str, said: str) -> None:
    run = site.run(f"hosting.jails.{playbook}", **{variable: "node9"})
    assert run.status != 0
    assert said in " ".join(run.output.split()), run.output
