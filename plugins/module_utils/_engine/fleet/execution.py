# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib

from ..._kernel import iproute
from ..._model.actions import Action
from ..._model.addresses import single
from ..._model.document import effective
from .. import allocations, apply, network, store
from ..errors import EXPECTED
from .change import Change
from .jobs import Job, Jobs
from .means import Means
from .removal import Removal

_TOGETHER = 64


def carry_out(jobs: Jobs, means: Means) -> None:
    """Carry out the plans of many jails; each job tells afterwards how it went.

    Removals come first, as they give back addresses. The others come in waves.
    """
    changed = [job for job in jobs.values() if job.changes and not job.failure]
    if any(_shapes(action) for job in changed for action in job.actions):
        iproute.load()
    for level in reversed(means.order.levels(job.name for job in changed if job.goes)):
        for first in range(0, len(level), _TOGETHER):
            Removal(jobs, level[first : first + _TOGETHER], means).run()
    for job in changed:
        # Where that fails, the one that is to get an address will say that it is taken.
        with contextlib.suppress(*EXPECTED):
            _vacate(job, means)
    for names in means.order.waves(job.name for job in changed if not job.goes):
        Change(jobs, names, means).run()
    for job in changed:
        _verify(job)


def _shapes(action: Action) -> bool:
    """Whether it may need pyroute2, which workers that have to import it each would wait for."""
    return action.kind in ("network.create", "network.change") and bool(
        action.arguments["document"]["ip"].get("bandwidth")
    )


def _verify(job: Job) -> None:
    try:
        if job.started:
            apply.verify_start(job.name)
    except EXPECTED as error:
        job.fail(error)


def _vacate(job: Job, means: Means) -> None:
    """Take addresses from a jail that another one of the task is to have, before that one gets them."""
    present = job.live.network.addresses if job.live.network else ()
    kept = [address for address in present if means.taken.get(single(address), job.name) == job.name]
    if job.goes or len(kept) == len(present):
        return
    in_force = effective(job.live.started or job.stored or {})
    reduced = {**in_force, "ip": {**in_force["ip"], "addresses": kept}}
    with store.lock(job.name):
        network.ensure(reduced, allocations.claim(job.name).number, taken=means.taken)
