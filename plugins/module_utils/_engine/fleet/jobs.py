# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..._kernel.link_snapshot import Snapshot
from ..._model.actions import Action, Plan
from ..._model.live import Live
from ..._model.planner import Wanted, plan
from .. import allocations, live, places, rescue, store
from ..errors import EXPECTED, DamagedRecord
from ..firewall_state import Table
from ..host_facts import HostFacts
from .failures import Failure, failure_of
from .helpers import map_all


@dataclass
class Job:
    """What a task has to do with one jail: what is wanted of it, what was found, what is planned, how it went.

    ``place`` is where the task speaks of it (``jails[17]``), empty for a jail that it does not name. ``plan`` is None
    until it is made, and stays so when the jail cannot be planned. ``begun`` says that something may have been done,
    ``started`` that the jail has been started.
    """

    wanted: Wanted
    place: str = ""
    stored: Mapping[str, Any] | None = None
    live: Live = Live()
    plan: Plan | None = None
    failure: Failure | None = None
    begun: bool = False
    started: bool = False

    @property
    def name(self) -> str:
        return self.wanted.jail

    @property
    def changes(self) -> bool:
        """Whether there is something to be done."""
        return self.plan is not None and self.plan.changed

    @property
    def goes(self) -> bool:
        """Whether the jail is to be removed."""
        return self.wanted.state == "absent"

    @property
    def starts(self) -> bool:
        """Whether the jail is to be started."""
        return any(action.kind == "jail.start" for action in self.actions)

    @property
    def actions(self) -> tuple[Action, ...]:
        return self.plan.actions if self.plan else ()

    @property
    def document(self) -> Mapping[str, Any] | None:
        """The document that is to hold, else the one that does."""
        return (self.plan.after if self.plan else None) or self.stored

    def fail(self, error: Exception) -> None:
        """Leave it as it is, and say why."""
        self.failure = failure_of(error)


Jobs = Mapping[str, Job]


@contextlib.contextmanager
def look_around() -> Iterator[HostFacts]:
    """What is to be known of the host to look at many of its jails."""
    with Snapshot() as links:
        yield HostFacts(links=links, allocations=allocations.find_all(), table=Table())


def plan_all(jobs: Iterable[Job], facts: HostFacts, apply_mode: str, *, parallel: int = 1) -> None:
    """Look at each jail and plan what is to be done; a jail that cannot be planned has failed."""
    all_jobs = list(jobs)
    settle = facts.links.reopen if facts.links else lambda: None
    found = map_all(lambda job: _look_at(job, facts), all_jobs, parallel=parallel, settle=settle)
    for job, (stored, seen, failure, damaged) in zip(all_jobs, found):
        job.stored, job.live, job.plan, job.failure = stored, seen, None, failure
        try:
            if damaged and rescue.is_possible(job.wanted):
                job.plan, job.failure = rescue.plan(job.wanted, facts), None
            elif not failure:
                job.plan = plan(job.wanted, stored, seen, apply_mode)
                if damaged:
                    warning = f"jail {job.name}: {places.document(job.name)} was damaged, and is written anew"
                    job.plan = replace(job.plan, warnings=(warning,))
        except EXPECTED as error:
            job.fail(error)


def _look_at(job: Job, facts: HostFacts) -> tuple[Mapping[str, Any] | None, Live, Failure | None, bool]:
    """What is stored of a jail and what is true of it, as far as that can be found out; and whether it is damaged."""
    stored, seen, damaged = job.stored, job.live, False
    try:
        try:
            stored = store.read_document(job.name, job.wanted.given if job.wanted.whole else None)
        except DamagedRecord:
            # A whole document needs no other.
            damaged = True
            if not job.wanted.whole:
                raise
        seen = live.observe(job.name, stored, facts)
    except DamagedRecord as error:
        return stored, seen, failure_of(error), True
    except EXPECTED as error:
        return stored, seen, failure_of(error), damaged
    return stored, seen, None, damaged
