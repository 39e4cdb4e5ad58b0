# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..._kernel import files
from ..._model.actions import Action
from .. import apply, store
from ..errors import EXPECTED, EngineError
from ..host_facts import HostFacts
from . import workers
from .jobs import Job, Jobs, look_around, plan_all
from .means import Means

_LOCK_SECONDS = 60.0


class Wave:
    """Jails that are changed together: under their locks, phase by phase, each phase for all of them.

    Within a phase they are changed side by side where none depends on another. A jail that fails takes no part in what
    follows.
    """

    def __init__(self, jobs: Jobs, names: Iterable[str], means: Means) -> None:
        self.all = jobs
        self.jobs = [jobs[name] for name in names]
        self.means = means
        self.facts = HostFacts()

    @property
    def working(self) -> list[Job]:
        """Those that have not failed."""
        return [job for job in self.jobs if not job.failure]

    @contextlib.contextmanager
    def locked(self) -> Iterator[dict[str, files.Lock]]:
        """Hold the locks of all, and plan anew what is to be done under them.

        They are taken in the order of the names, so that two tasks never wait for each other.
        """
        locks: dict[str, files.Lock] = {}
        deadline = time.monotonic() + _LOCK_SECONDS
        with contextlib.ExitStack() as stack:
            for job in sorted(self.jobs, key=lambda job: job.name):
                try:
                    lock = store.lock(job.name, timeout=max(0.0, deadline - time.monotonic()))
                    locks[job.name] = stack.enter_context(lock)
                except EXPECTED as error:
                    job.fail(error)
            with look_around() as facts:
                plan_all(self.working, facts, self.means.apply_mode)
                self.facts = HostFacts(allocations=facts.allocations)
            for job in self.working:
                job.begun = job.changes
            yield locks

    def each(self, jobs: Sequence[Job], step: Callable[[Job], None]) -> None:
        """Do a step for each of some jails, side by side."""
        by_name = {job.name: job for job in jobs}
        failures = workers.each(lambda name: step(by_name[name]), list(by_name), parallel=self.means.parallel)
        for name, failure in failures.items():
            by_name[name].failure = failure

    def carry_out(self, jobs: Iterable[Job], part: Callable[[Sequence[Action]], Sequence[Action]]) -> None:
        """Carry out a part of the plans of some jails, as far as they have such a part."""
        ready = [job for job in jobs if not job.failure and part(job.actions)]
        self.each(ready, lambda job: apply.carry_out(part(job.actions), self.facts))

    def block(self, jobs: Iterable[Job], related: Callable[[str], Iterable[str]], done: str, relation: str) -> None:
        """Leave jails alone that have to do with one that has failed."""
        for job in jobs:
            failed = [name for name in related(job.name) if name in self.all and self.all[name].failure]
            if failed:
                job.fail(EngineError(job.name, f"not {done}: {min(failed)}, which {relation}, failed"))
