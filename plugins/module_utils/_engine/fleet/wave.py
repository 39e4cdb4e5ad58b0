# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..._kernel import files
from ..._model.actions import Action
from .. import allocations, apply, store
from ..errors import EngineError
from ..host_facts import HostFacts
from . import definitions, starts, workers
from .failures import EXPECTED
from .jobs import Job, Jobs, look_around, plan_all
from .neighbours import Neighbours
from .order import Order

_LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Means:
    """With what plans are carried out; ``taken`` is that of HostFacts."""

    order: Order
    neighbours: Neighbours
    taken: dict[str, str]
    apply_mode: str
    parallel: int


class Phases(NamedTuple):
    """The actions of one plan besides storing its document and starting the jail, which are done for many at once."""

    stops: Sequence[Action]
    makes: Sequence[Action]
    rest: Sequence[Action]


def phases(actions: Sequence[Action]) -> Phases:
    """Take a plan apart; each phase keeps its order."""
    kinds = [action.kind for action in actions]
    start = kinds.index("jail.start") if "jail.start" in kinds else len(kinds)
    before = [action for action in actions[:start] if action.kind != "document.write"]
    stops = [action for action in before if action.kind in ("jail.thaw", "jail.stop")]
    return Phases(stops, [action for action in before if action not in stops], actions[start + 1 :])


class Wave:
    """Jails that are changed together: under their locks, phase by phase, each phase for all of them.

    Within a phase they are changed side by side where none depends on another. A jail that fails takes no part in what
    follows, and those that depend on it are not started.
    """

    def __init__(self, jobs: Jobs, names: Iterable[str], means: Means) -> None:
        self._all = jobs
        self._jobs = [jobs[name] for name in names]
        self._means = means
        self._facts = HostFacts()

    def remove(self) -> None:
        """Remove jails of which none depends on another."""
        with self._locked() as locks:
            self._block((job for job in self._working()), self._means.order.dependents, "removed", "depends on it")
            self._each(self._working(), lambda job: apply.carry_out(job.actions, self._facts))
            for job in self._working():
                locks[job.name].remove()

    def carry_out(self) -> None:
        """Carry out plans that leave jails behind."""
        with self._locked():
            claimed = definitions.write_all(self._jobs, self._means.neighbours)
            self._facts = HostFacts(allocations=claimed, taken=self._means.taken)
            self._stop()
            self._each(self._working(), self._make)
            self._start()
            self._each(self._working(), lambda job: apply.carry_out(phases(job.actions).rest, self._facts))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[dict[str, files.Lock]]:
        """Hold the locks of all, and plan anew what is to be done under them.

        They are taken in the order of the names, so that two tasks never wait for each other.
        """
        locks: dict[str, files.Lock] = {}
        deadline = time.monotonic() + _LOCK_SECONDS
        with contextlib.ExitStack() as stack:
            for job in sorted(self._jobs, key=lambda job: job.name):
                try:
                    lock = store.lock(job.name, timeout=max(0.0, deadline - time.monotonic()))
                    locks[job.name] = stack.enter_context(lock)
                except EXPECTED as error:
                    job.fail(error)
            with look_around() as facts:
                plan_all(self._working(), facts, self._means.apply_mode)
                self._facts = HostFacts(allocations=facts.allocations)
            for job in self._working():
                job.begun = job.changes
            yield locks

    def _working(self) -> list[Job]:
        return [job for job in self._jobs if not job.failure]

    def _each(self, jobs: Sequence[Job], step: Callable[[Job], None]) -> None:
        by_name = {job.name: job for job in jobs}
        failures = workers.each(lambda name: step(by_name[name]), list(by_name), parallel=self._means.parallel)
        for name, failure in failures.items():
            by_name[name].failure = failure

    def _stop(self) -> None:
        stopping = {job.name: job for job in self._working() if phases(job.actions).stops}
        for level in reversed(self._means.order.levels(stopping)):
            jobs = [stopping[name] for name in level]
            self._block(jobs, self._means.order.dependents, "stopped", "depends on it")
            ready = [job for job in jobs if not job.failure]
            self._each(ready, lambda job: apply.carry_out(phases(job.actions).stops, self._facts))

    def _make(self, job: Job) -> None:
        apply.carry_out(phases(job.actions).makes, self._facts)
        if job.starts:
            allocations.ensure_user_namespace(self._facts.claim(job.name))

    def _start(self) -> None:
        starting = {job.name: job for job in self._working() if job.starts}
        for level in self._means.order.levels(starting):
            jobs = [starting[name] for name in level]
            self._block(jobs, self._means.order.needs, "started", "it depends on")
            self._start_level([job for job in jobs if not job.failure])

    def _start_level(self, jobs: list[Job]) -> None:
        documents = {
            action.jail: action.arguments["document"]
            for job in jobs
            for action in job.actions
            if action.kind == "jail.start"
        }
        failures = starts.start_all(documents, parallel=self._means.parallel)
        for job in jobs:
            job.failure = failures.get(job.name)
            job.started = not job.failure
            if job.started and self._is_waited_for(job) and not apply.stays(job.name):
                job.fail(EngineError(job.name, "was started and ended at once", path="command"))

    def _is_waited_for(self, job: Job) -> bool:
        return any(self._all[name].starts for name in self._means.order.dependents(job.name) if name in self._all)

    def _block(self, jobs: Iterable[Job], related: Callable[[str], Iterable[str]], done: str, relation: str) -> None:
        """Leave alone jails whose needs have failed, or on going down, that are still needed."""
        for job in jobs:
            failed = [name for name in related(job.name) if name in self._all and self._all[name].failure]
            if failed:
                job.fail(EngineError(job.name, f"not {done}: {min(failed)}, which {relation}, failed"))
