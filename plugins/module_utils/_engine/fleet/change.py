# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Sequence

from ..._model.actions import Action
from .. import allocations, apply, firewall
from ..errors import EXPECTED, EngineError
from ..host_facts import HostFacts
from ..rootfs import clones
from . import definitions, starts
from .jobs import Job
from .wave import Wave

_STOPS = ("jail.thaw", "jail.stop")
# Storing documents, changing the packet filter and starting is done for many jails at once.
_TOGETHER = ("document.write", "firewall.change", "jail.start")
_NOTHING = ("option.defer",)


class Change(Wave):
    """What makes, changes, stops and starts jails, and leaves them there."""

    def run(self) -> None:
        """Carry out all plans. Jails that depend on one that has failed are not started."""
        with self.locked():
            claimed = definitions.write_all(self.jobs, self.means.neighbours)
            self.facts = HostFacts(allocations=claimed, taken=self.means.taken)
            self._stop()
            self._filter()
            cloned = self._clone()
            making = [job for job in self.working if job.starts or _makes(job.actions)]
            self.each(making, lambda job: self._make(job, cloned))
            self._start()
            self.carry_out(self.working, _after_start)

    def _stop(self) -> None:
        stopping = {job.name: job for job in self.working if _stops(job.actions)}
        for level in reversed(self.means.order.levels(stopping)):
            jobs = [stopping[name] for name in level]
            self.block(jobs, self.means.order.dependents, "stopped", "depends on it")
            self.carry_out(jobs, _stops)

    def _filter(self) -> None:
        """Before the networks, so that nothing passes an address that is not guarded yet: see firewall_actions()."""
        guarded = [job for job in self.working if _filters(job.actions)]
        wanted = {
            action.jail: (action.arguments["document"], self.facts.claim(action.jail))
            for job in guarded
            for action in _filters(job.actions)
        }
        try:
            if wanted:
                firewall.ensure_all(wanted)
        except EXPECTED:
            # What is refused of all is refused because of one: that one will tell.
            self.carry_out(guarded, _filters)

    def _clone(self) -> set[str]:
        """Make the roots that stand on templates, together, since each would wait for the disk; whose are made."""
        firsts = {job.name: action for job in self.working for action in _makes(job.actions)[:1] if _clones(action)}
        try:
            wanted = {name: (one.arguments["source"], self.facts.claim(name).uid_base) for name, one in firsts.items()}
            outcome = clones.make_all(wanted)
        except EXPECTED as error:
            outcome = dict.fromkeys(firsts, error)
        for job in self.working:
            failure = outcome.get(job.name)
            if failure:
                job.fail(failure)
        return {name for name, failure in outcome.items() if not failure}

    def _make(self, job: Job, cloned: set[str]) -> None:
        makes = _makes(job.actions)
        apply.carry_out(makes[1:] if job.name in cloned else makes, self.facts)
        if job.starts:
            allocations.ensure_user_namespace(self.facts.claim(job.name))

    def _start(self) -> None:
        starting = {job.name: job for job in self.working if job.starts}
        for level in self.means.order.levels(starting):
            jobs = [starting[name] for name in level]
            self.block(jobs, self.means.order.needs, "started", "it depends on")
            self._start_level([job for job in jobs if not job.failure])

    def _start_level(self, jobs: list[Job]) -> None:
        documents = {job.name: _start_of(job.actions).arguments["document"] for job in jobs}
        failures = starts.start_all(documents, parallel=self.means.parallel)
        for job in jobs:
            job.failure = failures.get(job.name)
            job.started = not job.failure
            if job.started and self._is_waited_for(job) and not apply.stays(job.name):
                job.fail(EngineError(job.name, "was started and ended at once", path="command"))

    def _is_waited_for(self, job: Job) -> bool:
        return any(self.all[name].starts for name in self.means.order.dependents(job.name) if name in self.all)


def _stops(actions: Sequence[Action]) -> list[Action]:
    return [action for action in _before_start(actions) if action.kind in _STOPS]


def _filters(actions: Sequence[Action]) -> list[Action]:
    return [action for action in actions if action.kind == "firewall.change"]


def _makes(actions: Sequence[Action]) -> list[Action]:
    return [action for action in _before_start(actions) if action.kind not in (*_STOPS, *_TOGETHER, *_NOTHING)]


def _clones(action: Action) -> bool:
    return action.kind == "rootfs.create" and "template" in action.arguments["source"]


def _before_start(actions: Sequence[Action]) -> Sequence[Action]:
    return actions[: _number_of_start(actions)]


def _after_start(actions: Sequence[Action]) -> list[Action]:
    return [action for action in actions[_number_of_start(actions) + 1 :] if action.kind not in (*_TOGETHER, *_NOTHING)]


def _start_of(actions: Sequence[Action]) -> Action:
    return actions[_number_of_start(actions)]


def _number_of_start(actions: Sequence[Action]) -> int:
    kinds = [action.kind for action in actions]
    return kinds.index("jail.start") if "jail.start" in kinds else len(kinds)
