# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who makes a root anew, brings one back or goes back to a template is killed at his steps: the next completes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.converge import converge
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import template_task, templates
from ansible_collections.hosting.jails.plugins.module_utils._model.planner import Wanted
from ansible_collections.hosting.jails.tests.faults import roots
from ansible_collections.hosting.jails.tests.faults.tasks import NAME, cut_short, removed, run, stride, task, whole_jail

ROOTS = Path("/var/lib/jails/roots")
MARK, KEPT_MARK = ROOTS / NAME / "upper/mark", ROOTS / f".previous.{NAME}/upper/mark"

Task = Callable[[], Any]


def rootfs(**wish: Any) -> Task:
    return lambda: converge(Wanted(jail=NAME, part="rootfs", **wish), apply_mode="live", check=False)


def done(work: Task, moment: int = 0) -> None:
    outcome = run(work)
    assert not outcome.failure, (moment, outcome.failure)


# What is to be done to the root, whether one is kept before, and where what was written in the jail is afterwards.
WORKS = {
    "made anew": (rootfs(reset=True), False, []),
    "made anew with the old one kept": (rootfs(reset=True, keep_previous=True), False, [KEPT_MARK]),
    "brought back": (rootfs(previous=True), True, [MARK]),
    "kept no longer": (rootfs(keep_previous=False), True, []),
}


@pytest.mark.parametrize("what", WORKS)
def test_what_was_killed_while_a_root_was_changed_is_completed(before: list[str], what: str) -> None:
    work, kept, marks = WORKS[what]

    def prepare() -> None:
        done(task("present", **whole_jail()))
        MARK.touch()
        if kept:
            done(rootfs(reset=True, keep_previous=True))

    prepare()
    steps = run(work).steps
    done(task("absent"))
    for moment in range(2, steps + 1, stride(17)):
        prepare()
        cut_short(work, moment)
        again = run(work)
        # Whoever asks for what is back already is told that nothing is kept any more.
        assert not again.failure or (what == "brought back" and "is kept" in again.failure), (moment, again.failure)
        assert [mark for mark in (MARK, KEPT_MARK) if mark.exists()] == marks, moment
        assert run(task("started")).state == "running", moment
        removed(before, moment)


def test_a_killed_build_or_return_of_a_template_in_use_is_completed(before: list[str]) -> None:
    other = {"archive": {"path": shutil.copy(roots.archive(), "/run/other.tar")}}
    done(task(**whole_jail()))
    first = templates.current("flt")
    assert first is not None

    def of_template(**wish: Any) -> Task:
        return lambda: template_task.converge("flt", check=False, **{"state": "present", "source": None, **wish})

    build, back = of_template(source=other), of_template(generation=first.generation)
    for work, prepared in ((build, back), (back, build)):
        done(prepared)
        steps = run(work).steps
        for moment in range(2, steps + 1, stride(13)):
            done(prepared, moment)
            cut_short(work, moment)
            done(work, moment)
            assert not run(work).changed, moment
            current = templates.current("flt")
            assert current is not None
            assert (current == first) == (work is back), moment
            expected = ["current", *sorted({first.generation, current.generation})]
            assert sorted(entry.name for entry in Path("/var/lib/jails/templates/flt").iterdir()) == sorted(expected)
            assert not run(task("started")).changed, moment
    done(back)
    removed(before)
