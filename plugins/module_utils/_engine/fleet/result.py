# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._model.diff import diff
from ..._model.profiles import has_user_namespace
from .. import status, store
from ..errors import EXPECTED
from .jobs import Job
from .planning import Planned

_NAMED = 5


def result_of(planned: Planned, *, foreseen: bool, with_diff: bool, verbose: bool) -> dict[str, Any]:
    """What a module returns: a short row for each jail, a summary, and the differences of those that change."""
    listed = [job for job in planned.jobs.values() if job.place or _changed(job) or job.failure]
    rows = [_row(job, verbose=verbose) for job in listed]
    failed = [job for job in listed if job.failure]
    result: dict[str, Any] = {
        "changed": any(row["changed"] for row in rows),
        "failed": bool(failed),
        "jails": rows,
        "summary": {
            "total": len(rows),
            "changed": sum(row["changed"] for row in rows),
            "failed": len(failed),
            "restart_required": sum("restart_required" in row for row in rows),
            "purged": sum(_changed(planned.jobs[name]) for name in planned.purged),
        },
    }
    if failed:
        result["msg"] = _message(failed, len(rows), foreseen=foreseen)
    warnings = [*store.warnings(without=planned.jobs), *_warnings(listed)]
    if warnings:
        result["warnings"] = warnings
    if with_diff:
        result["diff"] = [diff(job.plan) for job in listed if job.plan and _changed(job)]
    return result


def _warnings(jobs: Sequence[Job]) -> list[str]:
    found = [warning for job in jobs if job.plan for warning in job.plan.warnings]
    plans = [job.plan for job in jobs if job.plan and _changed(job)]
    documents = [plan.after for plan in plans if plan.after]
    if all(one.get("ip", {}).get("mode") != "shared" and has_user_namespace(one) for one in documents):
        return found
    from .. import host_root, shadowing

    return [*found, *host_root.warnings(plans), *shadowing.warnings(plans)]


def _changed(job: Job) -> bool:
    """Whether something was done to a jail; also to one that failed half-way."""
    return job.changes and (job.begun or not job.failure)


def _row(job: Job, *, verbose: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"name": job.name, "state": _state(job), "changed": _changed(job)}
    row["failed"] = bool(job.failure)
    if job.failure:
        message, path, remedy = job.failure
        row.update(msg=message, path=".".join(part for part in (job.place, path) if part), remedy=remedy)
    if job.plan and job.plan.restart_required:
        row.update(restart_required=True, reasons=list(job.plan.reasons))
    if verbose and job.plan:
        row["actions"] = job.plan.lines()
    return row


def _state(job: Job) -> str:
    """The state that a jail is in, or would be in."""
    if job.plan is None or job.failure:
        return _observed(job)
    return job.plan.state_after


def _observed(job: Job) -> str:
    try:
        return "absent" if job.stored is None and not job.begun else status.run_state(job.name)
    except EXPECTED:
        return "failed"


def _message(failed: Sequence[Job], total: int, *, foreseen: bool) -> str:
    lines = [job.failure.message for job in failed[:_NAMED] if job.failure]
    if len(failed) > _NAMED:
        lines.append(f"... and {len(failed) - _NAMED} more")
    others = "would fail" if foreseen else "failed, the others are done"
    return "\n".join([f"{len(failed)} of {total} jails {others}:", *lines])
