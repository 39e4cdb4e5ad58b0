# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..._model.allocation import Allocation, range_of
from ..._model.fleet_conflicts import duplicates
from ..._model.fleet_member import Member
from .. import allocations, store
from ..errors import EXPECTED
from .jobs import Job
from .neighbours import Neighbours


def write_all(jobs: Iterable[Job], neighbours: Neighbours) -> Mapping[str, Allocation]:
    """Store the documents of jails and give them their numbers, as the action ``document.write`` does for one.

    Addresses and ports are claimed by the document that names them: another task may have claimed one of ours since we
    looked.
    Callers hold the jails' locks. A document that cannot be stored is a failure of its jail. Nothing else of these
    jails is made before all of this is on the disk, so one wait for the disk is as safe as one each.
    """
    jobs = [job for job in jobs if not job.failure]
    if not jobs:
        return {}
    try:
        store.prepare_directories()
        claimed = _claim(jobs)
        _write([job for job in jobs if _writes(job)], neighbours)
    except EXPECTED as error:
        for job in jobs:
            job.fail(error)
        return {}
    return claimed


def _claim(jobs: list[Job]) -> dict[str, Allocation]:
    """Those that are to have certain ids first, one by one: what is another's is a failure of its jail alone."""
    claimed = {}
    for job in jobs:
        if range_of(job.document or {}):
            try:
                claimed[job.name] = allocations.claim(job.name, job.document)
            except EXPECTED as error:
                job.fail(error)
    others = {job.name: job.document for job in jobs if not range_of(job.document or {})}
    return {**claimed, **allocations.claim_all(others)}


def _writes(job: Job) -> bool:
    return any(action.kind == "document.write" for action in job.actions)


def _write(jobs: list[Job], neighbours: Neighbours) -> None:
    if not jobs:
        return
    with store.documents_lock():
        _refuse_claimed(jobs, neighbours)
        documents = {job.name: job.plan.after for job in jobs if job.plan and job.plan.after and not job.failure}
        failed = store.write_documents(documents)
    for job in jobs:
        if job.name in failed:
            job.fail(failed[job.name])


def _refuse_claimed(jobs: list[Job], neighbours: Neighbours) -> None:
    by_name = {job.name: job for job in jobs}
    members = [Member(job.name, "", "present", job.document or {}) for job in jobs]
    for error in duplicates(members, neighbours.documents()):
        by_name[error.jail].fail(error)
