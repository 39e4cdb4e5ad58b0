# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from . import strays
from .planning import Planned, plan_task
from .result import result_of
from .task import Task, read_task


def converge(parameters: Mapping[str, Any], *, check: bool, with_diff: bool) -> dict[str, Any]:
    """Bring the jails of a fleet into the state that a task asks for, or say what it would take; a module's result.

    Refusal: nothing was begun. A jail's failure is in its row, and the others are done.
    """
    mode, path = parameters["mode"], parameters["plan"]
    shown = {"with_diff": with_diff, "verbose": parameters["verbose_results"]}
    parallel = parameters["parallel"] or len(os.sched_getaffinity(0))
    if mode == "apply":
        planned = _planned_before(path, parallel)
    else:
        task = read_task(parameters)
        if mode == "validate":
            return {"changed": False, "failed": False}
        planned = plan_task(task, parallel=parallel)
    if mode == "plan":
        if not check:
            _write_plan(path, task, planned)
        return {**result_of(planned, foreseen=True, **shown), "plan": path}
    if not check:
        _carry_out(planned)
    return result_of(planned, foreseen=check, **shown)


def _planned_before(path: str, parallel: int) -> Planned:
    from . import plan_file

    content = plan_file.read(path)
    planned = plan_task(plan_file.task_of(content), parallel=parallel)
    plan_file.refuse_drift(content, planned)
    return planned


def _write_plan(path: str, task: Task, planned: Planned) -> None:
    from . import plan_file

    plan_file.write(path, task, planned)


def _carry_out(planned: Planned) -> None:
    # Here and not above: most runs change nothing, and compile what they import anew each time.
    if any(job.changes for job in planned.jobs.values()):
        from . import execution

        execution.carry_out(planned.jobs, planned.means)
    strays.remove_locks()
