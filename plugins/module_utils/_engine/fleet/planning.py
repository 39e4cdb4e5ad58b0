# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..._kernel.files import LockBusy
from ..._model.errors import DocumentError
from ..._model.fleet import LABEL, conflicts, purge
from ..._model.planner import Wanted
from .. import places, preflight, second_look, status
from ..errors import EXPECTED, EngineError
from ..host_facts import NOTHING_KNOWN, HostFacts
from .failures import failure_of
from .jobs import Job, Jobs, look_around, plan_all
from .means import Means
from .neighbours import Neighbours, addresses
from .order import Order
from .refusal import Mistake, Refusal
from .task import Task

_RUNNING = ("running", "frozen")


@dataclass(frozen=True)
class Planned:
    """All that a task comes to: what to do with the jails that it names, with those that it purges (``purged``), and
    with those that have to be started for the others."""

    jobs: Jobs
    purged: list[str]
    means: Means


def plan_task(task: Task, *, parallel: int) -> Planned:
    """Plan a task as a whole. Reads only.

    Refusal for what nothing may be begun with: jails that exclude each other, jails of another fleet, too much to be
    purged, addresses and templates that this host cannot give. What stands in the way of one jail alone is its failure.
    """
    jobs = task.jobs()
    neighbours = Neighbours(without=jobs)
    with look_around() as facts:
        plan_all(jobs.values(), facts, task.apply_mode, parallel=parallel)
        _look_again(jobs, task.apply_mode)
        others = neighbours.documents()
        purged = _purged(task, jobs, others)
        jobs.update({name: Job(Wanted(name, state=task.purge)) for name in purged})
        plan_all([jobs[name] for name in purged], facts, task.apply_mode)
        staying = {name: document for name, document in others.items() if name not in jobs or not jobs[name].goes}
        _plan_needed(jobs, staying, facts, task.apply_mode)
        taken = {**addresses(staying), **addresses({job.name: job.wanted.given for job in jobs.values() if job.place})}
        mistakes: list[Mistake] = [*conflicts(task.members, staying)]
        mistakes += [*_of_other_fleets(task, jobs), *_in_need_of(purged, jobs)]
        mistakes += _impossible(jobs, facts._replace(taken=taken))
        mistakes += _not_started(jobs)
    if mistakes:
        raise Refusal(mistakes)
    needs = {**staying, **{job.name: job.document or {} for job in jobs.values()}}
    order = Order({name: document.get("depends", ()) for name, document in needs.items()})
    return Planned(jobs, purged, Means(order, neighbours, taken, task.apply_mode, parallel))


def _look_again(jobs: Jobs, apply_mode: str) -> None:
    """Whom a plan cannot be made for may have been seen amidst another task's change."""
    for job in jobs.values():
        if job.failure and os.path.exists(places.lock(job.name)):
            with contextlib.suppress(LockBusy):
                second_look.take(job.name, partial(plan_all, [job], NOTHING_KNOWN, apply_mode))


def _purged(task: Task, jobs: Jobs, others: Mapping[str, Any]) -> list[str]:
    """Names of the jails of the fleet that the task does not name, as far as it wants something of them."""
    stored = {**others, **{job.name: job.stored for job in jobs.values() if job.stored}}
    settled = [name for name in others if status.run_state(name) == "stopped"] if task.purge == "stopped" else ()
    try:
        return purge(
            task.members,
            stored,
            fleet=task.fleet,
            purge=task.purge,
            allow_empty=task.allow_empty,
            limit=task.purge_limit,
            settled=settled,
        )
    except DocumentError as error:
        raise Refusal([error]) from error


def _of_other_fleets(task: Task, jobs: Jobs) -> Iterator[DocumentError]:
    for member in task.members:
        job = jobs[member.name]
        fleet = (job.stored or job.live.started or {}).get("labels", {}).get(LABEL)
        if fleet not in (None, task.fleet):
            yield (
                member.at()
                .at("name")
                .error(
                    f"{member.name} belongs to fleet {fleet}, and this task is about fleet {task.fleet}",
                    f"take it out of the list, or out of that fleet: clear its label {LABEL} with the module jail",
                )
            )


def _in_need_of(purged: list[str], jobs: Jobs) -> Iterator[DocumentError]:
    """Jails that are to run, but not what they depend on."""
    stopped = {name for name in purged if not jobs[name].goes}
    for job in jobs.values():
        for number, need in enumerate(job.wanted.given.get("depends", ())):
            if need in stopped and job.plan and job.plan.state_after in _RUNNING:
                message = f"{need} is to be purged, as this fleet's list has no such jail"
                yield DocumentError(job.name, f"{job.place}.depends[{number}]", message, f"list {need} as well")


def _plan_needed(jobs: dict[str, Job], others: Mapping[str, Any], facts: HostFacts, apply_mode: str) -> None:
    """Plan the start of whatever has to run before a jail that is to be started."""
    waiting = [job for job in jobs.values() if job.starts]
    while waiting:
        job = waiting.pop()
        for need in (job.document or {}).get("depends", ()):
            found = jobs.get(need) or _outsider(need, others)
            if found is None or _runs_then(found):
                continue
            jobs[need] = found
            found.wanted = replace(found.wanted, state="started")
            plan_all([found], facts, apply_mode)
            waiting.append(found)


def _outsider(name: str, others: Mapping[str, Any]) -> Job | None:
    if name not in others or status.run_state(name) in _RUNNING:
        return None
    return Job(Wanted(name, state="started"))


def _runs_then(job: Job) -> bool:
    """Whether it runs when its plan is carried out, or cannot be planned anyway."""
    return bool(job.failure) or (job.plan is not None and job.plan.state_after in _RUNNING)


def _impossible(jobs: Jobs, facts: HostFacts) -> list[Mistake]:
    """What this host cannot give. What is missing for the start of a jail alone is no mistake of the task."""
    mistakes: list[Mistake] = []
    for job in jobs.values():
        for action in job.actions if not job.failure else ():
            try:
                preflight.refuse_action(action, facts)
            except EXPECTED as error:
                if action.kind == "jail.start":
                    job.fail(error)
                else:
                    mistakes.append(_placed(job, error))
    return mistakes


def _not_started(jobs: Jobs) -> Iterator[EngineError]:
    """What would keep each jail from its start."""
    if any(job.starts and not job.failure for job in jobs.values()):
        try:
            preflight.refuse_start_by_nobody()
        except EngineError as error:
            yield error


def _placed(job: Job, error: Exception) -> EngineError:
    failure = failure_of(error)
    path = ".".join(part for part in (job.place, failure.path) if part)
    return EngineError(job.name, getattr(error, "message", failure.message), path=path, remedy=failure.remedy)
