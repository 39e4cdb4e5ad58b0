# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hosting.jails.upgrade: to a new generation and, where that is bad, back. The tests are one story, in their order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import previous, roots, templates
from ansible_collections.hosting.jails.tests.integration.jails import Jail
from ansible_collections.hosting.jails.tests.integration.playbooks.site import (
    GOOD,
    PREFIX,
    TEMPLATE,
    Run,
    Site,
    standing,
)

ALL = [Jail(f"{PREFIX}up{number}") for number in (1, 2, 3)]
ONE, TWO, OFF = ALL


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    states = {jail.name: "stopped" if jail is OFF else "started" for jail in ALL}
    with standing(tmp_path_factory.mktemp("upgrade"), states) as site:
        yield site


def upgrade(site: Site, *arguments: str, **extra: object) -> Run:
    how = {"upgrade_templates": [TEMPLATE], "upgrade_settle": 1, "upgrade_waves": [1, 2], **extra}
    return site.run("hosting.jails.upgrade", *arguments, **how)


def stands_on_the_newest(jail: Jail) -> bool:
    manifest = roots.read(jail.name)
    assert manifest
    return not roots.is_stale(manifest)


def test_check_mode_tells_the_waves(site: Site) -> None:
    site.release(f"{GOOD}# 2\n")
    run = upgrade(site, "--check")
    assert run.changed() == 2
    assert run.output.index(ONE.name) < run.output.index(TWO.name)
    assert len(templates.generations(TEMPLATE)) == 1


def test_jails_move_and_keep_a_way_back(site: Site) -> None:
    ONE.script("echo mine > /precious")
    assert upgrade(site).changed() > 0
    assert all(stands_on_the_newest(jail) for jail in ALL)
    assert ONE.run("test", "-e", "/precious").returncode != 0
    assert [jail.state for jail in ALL] == ["running", "running", "stopped"]
    assert all(previous.read(jail.name) for jail in ALL)
    assert upgrade(site).changed() == 0


def test_a_bad_build_stops_at_the_wave_that_finds_it_and_gives_that_back_what_it_had(site: Site) -> None:
    """The new program ends in the second jail alone, some time after it was started."""
    ONE.script("echo newer > /precious")
    TWO.script("echo newer > /precious")
    good = templates.current(TEMPLATE)
    site.release(f"#!/bin/sh\nread name </proc/sys/kernel/hostname\ntest $name != {TWO.name} || exit 1\n{GOOD}")
    run = upgrade(site, upgrade_waves=[1], upgrade_command=["true"])
    output = " ".join(run.output.split())
    assert run.status != 0
    assert f"{TWO.name} is failed" in output or f"jail {TWO.name}: command: was started and ended" in output
    assert f"The jails of this wave have what they had before: {TWO.name}" in output
    assert ONE.run("test", "-e", "/precious").returncode != 0
    assert TWO.output("cat", "/precious") == "newer\n"
    assert [jail.state for jail in ALL] == ["running", "running", "stopped"]
    assert templates.current(TEMPLATE) == good
    assert [stands_on_the_newest(jail) for jail in ALL] == [False, True, True]


def test_the_next_run_goes_on_with_what_was_built_and_leaves_alone_who_is_well_on_it(site: Site) -> None:
    pid, stands_on = ONE.pid, roots.read(ONE.name)
    foreseen = upgrade(site, "--check", upgrade_waves=[1]).output
    plan = foreseen[foreseen.index("Say what would be moved") :]
    assert TWO.name in plan
    assert ONE.name not in plan
    run = upgrade(site, upgrade_waves=[1])
    assert run.status != 0
    assert (ONE.pid, roots.read(ONE.name)) == (pid, stands_on)
    assert [stands_on_the_newest(jail) for jail in ALL] == [False, True, True]


def test_who_is_ill_before_is_not_upgraded(site: Site) -> None:
    run = upgrade(site, upgrade_command=["false"], upgrade_seconds=2)
    assert run.status != 0
    assert "Build a new generation" not in run.output


def test_the_way_back_can_be_given_up(site: Site) -> None:
    site.release(f"{GOOD}# better\n")
    assert upgrade(site, upgrade_keep_previous=False).changed() > 0
    assert not any(previous.read(jail.name) for jail in ALL)
    assert len(templates.generations(TEMPLATE)) == 1
