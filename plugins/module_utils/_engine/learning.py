# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Find the smallest ``caps`` section under which a jail works, by watching what it asks for and by trying without."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from .._kernel import capabilities
from .._kernel.errors import KernelError
from .._kernel.privilege_trace import Seen, Trace, tracing
from .._kernel.syscall_numbers import numbers
from .._model.document import effective
from .._model.learned import section_for
from .._model.permissions import PERMISSIONS
from .._model.planner import Wanted
from .._model.profiles import has_user_namespace, owns_network, privileges_of
from . import allocations, places, status, store, trial
from .converge import converge
from .errors import EngineError
from .syscall_policy import GATED, STRICT, WITHDRAWN


class Lesson(NamedTuple):
    """How to see that a jail works: a command in it succeeds within ``seconds``, or it keeps running so long."""

    jail: str
    seconds: float
    command: tuple[str, ...] = ()


class Learned(NamedTuple):
    """A section under which the jail was seen to work, and whether anything less was tried."""

    section: dict[str, Any]
    smallest: bool


def learn(lesson: Lesson, say: Callable[[str], None]) -> Learned:
    """Watch and try; ``say`` hears of each step. The jail is stopped for it, and started again if it ran.

    EngineError where there is nothing to learn from: the jail does not work as it is, or the kernel tells nobody what
    is asked for and there is no command to try.
    """
    name = lesson.jail
    document = store.read_document(name)
    if document is None:
        raise EngineError(name, "there is no such jail on this host", remedy="jailctl list")
    if not has_user_namespace(document):
        why = "without a user namespace its processes cannot be told from the host's by their users"
        raise EngineError(name, why, path="caps.user_namespace", remedy="learn from a jail of its kind that has one")
    with _stopped(name), store.lock(name):
        if status.is_alive(store.read_state(name)):
            raise EngineError(name, "somebody has started it meanwhile", remedy="do it again")
        say("start it as it is")
        search = _Search(lesson, document, say)
        return search.run(search.observe())


@contextlib.contextmanager
def _stopped(name: str) -> Iterator[None]:
    """Have a jail stopped for the length of a block."""
    before = status.run_state(name)
    if before in ("frozen", "stuck"):
        raise EngineError(name, f"is {before}", remedy="only a jail that runs or is stopped can be watched")
    converge(Wanted(jail=name, state="stopped"), apply_mode="live", check=False)
    try:
        yield
    finally:
        if before == "running":
            converge(Wanted(jail=name, state="started"), apply_mode="live", check=False)


class _Search:
    """Tries one section after the other, each with less in it."""

    def __init__(self, lesson: Lesson, document: dict[str, Any], say: Callable[[str], None]) -> None:
        self.lesson = lesson
        self.document = document
        self.say = say
        self.stops = True

    def observe(self) -> Seen | None:
        """What the jail asks for from its start on; None where the kernel does not tell. EngineError: it is broken."""
        name = self.lesson.jail
        with contextlib.ExitStack() as stack:
            trace = self._trace(stack)
            failure = self._try(effective(self.document), first=True)
            if failure:
                raise EngineError(name, f"does not work as it is: {failure}", remedy=f"see jailctl logs {name}")
            return trace.read() if trace else None

    def _trace(self, stack: contextlib.ExitStack) -> Trace | None:
        name = self.lesson.jail
        ids = allocations.claim(name, self.document).ids
        try:
            return stack.enter_context(tracing(range(ids.base, ids.base + ids.size), but=places.ENTERING))
        except KernelError as error:
            if self.lesson.command:
                return None
            remedy = "name a command of the jail that succeeds as long as it works"
            raise EngineError(name, f"this kernel does not tell what is asked for: {error}", remedy=remedy) from error

    def _try(self, document: dict[str, Any], *, first: bool = False) -> str:
        """Why the jail does not work, started from an effective document; nothing where it does.

        An init that may not signal its own children any more works, until it is to be stopped.
        """
        lesson = self.lesson
        with trial.running(lesson.jail, document) as it:
            if lesson.command:
                failure = trial.exercise(lesson.jail, it, lesson.command, lesson.seconds)
            else:
                failure = trial.watch(it, lesson.seconds)
        if first:
            self.stops = not it.killed
        return failure or ("it does not stop when it is asked to" if it.killed and self.stops else "")

    def run(self, seen: Seen | None) -> Learned:
        used, calls = self._used(seen)
        self.say(
            f"used: {_list(used)}"
            if seen is not None
            else f"the kernel does not tell what is used; it has {_list(used)}"
        )
        held = privileges_of(self.document)
        strict = seen is not None and held.seccomp == "default" and not calls & STRICT
        if strict and self._works(used, "with these and the strict filter", strict=True):
            pass
        elif self._works(used, "with these"):
            strict = False
        else:
            raise EngineError(
                self.lesson.jail,
                "does not work with what it was seen to use",
                remedy="it uses something only now and then: let a command exercise all of it",
            )
        if not self.lesson.command:
            return Learned(self._section(used, strict=strict), False)
        for capability in sorted(used):
            if self._works(used - {capability}, f"without {capability}", strict=strict):
                used -= {capability}
        if seen is None and held.seccomp == "default":
            strict = self._works(used, "with the strict filter", strict=True)
        bars = held.no_new_privileges or self._works(
            used, "with no_new_privileges", strict=strict, no_new_privileges=True
        )
        return Learned(self._section(used, strict=strict, no_new_privileges=bars), True)

    def _used(self, seen: Seen | None) -> tuple[frozenset[str], frozenset[str]]:
        """Capabilities that were given, or whose system calls were made, of those that the jail has; and all calls."""
        held = privileges_of(self.document)
        if seen is None:
            return held.capabilities, frozenset()
        names = {number: name for name, number in numbers(os.uname().machine).items()}
        calls = frozenset(names[number] for number in seen.calls if number in names)
        given = {capabilities.name_of(number) for number in seen.capabilities}
        gated = {name for name, theirs in GATED.items() if theirs & calls and name not in held.confined}
        # Below the limit of locked memory nobody asks for the capability; the permission lifts that limit.
        locks = PERMISSIONS["mlock"].capabilities if calls & WITHDRAWN["mlock"] else frozenset()
        return held.capabilities & (given | gated | locks), calls

    def _works(
        self, used: frozenset[str], words: str, *, strict: bool = False, no_new_privileges: bool | None = None
    ) -> bool:
        section = section_for(self.document, used, strict=strict, no_new_privileges=no_new_privileges)
        try:
            failure = self._try(trial.document_with(self.lesson.jail, section))
        except EngineError as error:
            failure = error.message
        self.say(f"{words}: {failure or 'works'}")
        return not failure

    def _section(self, used: frozenset[str], **options: bool) -> dict[str, Any]:
        """The section for a jail to have, in a network that is made anew for it."""
        section = section_for(self.document, used, **options)
        full = trial.document_with(self.lesson.jail, section)
        if full["ip"]["mode"] in ("vnet", "none") and not owns_network(full) and "keep" in section:
            # Its ports are free then for everybody in it.
            section["keep"] = [name for name in section["keep"] if name != "NET_BIND_SERVICE"]
        return section


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "no capability"
