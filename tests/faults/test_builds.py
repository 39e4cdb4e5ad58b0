# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who builds a template or installs the engine is killed at each of his steps: the next one completes, or clears."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import install, places, traces
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import templates
from ansible_collections.hosting.jails.plugins.module_utils._kernel import files
from ansible_collections.hosting.jails.tests.faults import machine, roots
from ansible_collections.hosting.jails.tests.faults.tasks import run, stride, task, whole_jail
from ansible_collections.hosting.jails.tests.faults.world import settled, strays, world
from ansible_collections.hosting.jails.tests.integration.engine.deaths import die

MOST_STEPS = 5000


def build() -> dict[str, Any]:
    templates.ensure("flt", roots.source())
    return {}


def remove() -> dict[str, Any]:
    templates.remove("flt")
    return {}


def put_engine() -> dict[str, Any]:
    return {"command": install.ensure_engine()}


def take_engine() -> dict[str, Any]:
    for step in install.plan_removal():
        step.carry_out()
    return {}


def clear() -> dict[str, Any]:
    for step in traces.plan():
        step.carry_out()
    return {}


def kills(work: Callable[[], Any], *, prepared: Callable[[], Any], every: int) -> None:
    """Kill a work at its steps, and see the same work complete what is left each time."""
    for moment in range(1, MOST_STEPS, every):
        assert not run(prepared).failure
        outcome = run(work, kill_at=moment)
        if not outcome.killed:
            assert not outcome.failure
            return
        assert strays() == [], moment
        again = run(work)
        assert not again.failure, (moment, again.failure)
    raise AssertionError("the work does not end")


def test_a_killed_build_of_a_template_is_completed_and_leaves_no_part() -> None:
    run(build)
    run(remove)
    before = world()
    run(build)
    built = sorted(_shape())
    kills(build, prepared=remove, every=stride(2))
    assert sorted(_shape()) == built
    run(remove)
    assert settled(before) == []


def test_a_killed_build_of_a_template_is_cleared_by_its_removal() -> None:
    run(build)
    run(remove)
    before = world()
    for moment in range(1, MOST_STEPS, stride(2)):
        outcome = run(build, kill_at=moment)
        assert not run(remove).failure, moment
        assert settled(before) == [], moment
        if not outcome.killed:
            return
    raise AssertionError("the build does not end")


def test_a_killed_removal_of_a_template_is_completed() -> None:
    run(build)
    run(remove)
    before = world()
    kills(remove, prepared=build, every=stride(2))
    run(remove)
    assert settled(before) == []


def _shape() -> list[str]:
    """What is in the templates' directory, but for the names of generations."""
    manifest = templates.current("flt")
    assert manifest is not None
    found = []
    for parent, directories, names in os.walk("/var/lib/jails/templates"):
        found += [f"{parent}/{name}".replace(manifest.generation, "G") for name in directories + names]
    return found


@pytest.fixture
def small_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some files of the engine instead of three hundred, so that its installation can be killed at every step."""
    run(take_engine)
    some = dict(list(install.sources().items())[:4])
    install.engine_version.cache_clear()
    monkeypatch.setattr(install, "sources", lambda: some)


@pytest.mark.usefixtures("small_engine")
def test_a_killed_installation_of_the_engine_is_completed() -> None:
    before = world("/usr/local")
    run(put_engine)
    whole = world("/usr/local")
    for moment in range(1, _steps(put_engine, prepared=take_engine) + 1):
        run(take_engine)
        assert run(put_engine, kill_at=moment).killed
        assert not run(put_engine).failure, moment
        assert settled(whole, "/usr/local") == [], moment
    assert install.installed()
    run(take_engine)
    assert settled(before, "/usr/local") == []


@pytest.mark.usefixtures("small_engine")
def test_a_killed_installation_of_the_engine_is_removed() -> None:
    before = world("/usr/local")
    for moment in range(1, _steps(put_engine, prepared=take_engine) + 1):
        run(take_engine)
        assert run(put_engine, kill_at=moment).killed
        assert not run(take_engine).failure, moment
        assert settled(before, "/usr/local") == [], moment


@pytest.mark.usefixtures("small_engine")
def test_a_killed_removal_of_the_engine_is_completed_or_undone() -> None:
    before = world("/usr/local")
    run(put_engine)
    whole = world("/usr/local")
    for moment in range(1, _steps(take_engine, prepared=put_engine) + 1):
        for again, expected in ((put_engine, whole), (take_engine, before)):
            run(put_engine)
            assert run(take_engine, kill_at=moment).killed
            assert not run(again).failure, moment
            assert settled(expected, "/usr/local") == [], moment


def _steps(work: Callable[[], Any], *, prepared: Callable[[], Any]) -> int:
    run(prepared)
    return run(work).steps


def test_an_engine_whose_very_first_definition_was_killed_leaves_nothing() -> None:
    def die_before_there_are_allocations() -> None:
        rename = os.rename
        os.rename = lambda old, new: die() if new == places.ALLOCATIONS else rename(old, new)  # type: ignore[assignment]

    run(build)
    assert run(task("present", **whole_jail()), prepare=die_before_there_are_allocations).killed
    assert os.path.exists(files.temporary_of(places.ALLOCATIONS))
    for each in (task("absent"), remove, clear):
        assert not run(each).failure
    assert [entry for directory in machine.STATE_DIRECTORIES for entry in os.listdir(directory)] == []
