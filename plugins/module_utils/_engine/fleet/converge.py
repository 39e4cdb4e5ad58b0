# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from . import execution, plan_file
from .planning import plan_task
from .result import result_of
from .task import read_task


def converge(parameters: Mapping[str, Any], *, check: bool, with_diff: bool) -> dict[str, Any]:
    """Bring the jails of a fleet into the state that a task asks for, or say what it would take; a module's result.

    Refusal: nothing was begun. A jail's failure is in its row, and the others are done.
    """
    mode, path = parameters["mode"], parameters["plan"]
    content = plan_file.read(path) if mode == "apply" else None
    task = plan_file.task_of(content) if content else read_task(parameters)
    if mode == "validate":
        return {"changed": False, "failed": False}
    planned = plan_task(task, parallel=parameters["parallel"] or len(os.sched_getaffinity(0)))
    if content:
        plan_file.refuse_drift(content, planned)
    foreseen = check or mode == "plan"
    if not foreseen:
        execution.carry_out(planned.jobs, planned.means)
    elif not check:
        plan_file.write(path, task, planned)
    result = result_of(planned, foreseen=foreseen, with_diff=with_diff, verbose=parameters["verbose_results"])
    return {**result, "plan": path} if mode == "plan" else result
