# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..._model.addresses import leaves_choice
from . import strays
from .planning import Planned, plan_task
from .result import result_of
from .task import Task, read_task


def converge(parameters: Mapping[str, Any], *, check: bool, with_diff: bool) -> dict[str, Any]:
    """Bring the jails of a fleet into the state that a task asks for, or say what it would take; a module's result.

    Refusal: nothing was begun. A jail's failure is in its row, and the others are done.
    """
    if parameters["mode"] == "apply":
        planned = _planned_before(parameters["plan"], _parallel(parameters))
        return _done(planned, parameters, check=check, with_diff=with_diff)
    task = read_task(parameters)
    if parameters["mode"] == "validate":
        return {"changed": False, "failed": False}
    if not any(leaves_choice(member.document) for member in task.members):
        return _planned_and_done(task, parameters, check=check, with_diff=with_diff)
    from .. import address_pools
    from .addressing import with_addresses

    with address_pools.choosing(reserve=not check and parameters["mode"] == "converge") as choice:
        return _planned_and_done(with_addresses(task, choice), parameters, check=check, with_diff=with_diff)


def _planned_and_done(task: Task, parameters: Mapping[str, Any], *, check: bool, with_diff: bool) -> dict[str, Any]:
    planned = plan_task(task, parallel=_parallel(parameters))
    if parameters["mode"] != "plan":
        return _done(planned, parameters, check=check, with_diff=with_diff)
    if not check:
        _write_plan(parameters["plan"], task, planned)
    shown = result_of(planned, foreseen=True, with_diff=with_diff, verbose=parameters["verbose_results"])
    return {**shown, "plan": parameters["plan"]}


def _done(planned: Planned, parameters: Mapping[str, Any], *, check: bool, with_diff: bool) -> dict[str, Any]:
    if not check:
        _carry_out(planned)
    return result_of(planned, foreseen=check, with_diff=with_diff, verbose=parameters["verbose_results"])


def _parallel(parameters: Mapping[str, Any]) -> int:
    return parameters["parallel"] or len(os.sched_getaffinity(0))


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
