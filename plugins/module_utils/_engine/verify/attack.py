# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What an attack is, and how it comes to its outcome."""

from __future__ import annotations

import errno
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from .expectations import Rule

# How a kernel says no. ENOENT, ENODEV and their like are a no only where an attack says so: elsewhere they mean that
# the permission was there and the thing was not.
REFUSALS = frozenset(
    {
        errno.EPERM,
        errno.EACCES,
        errno.EROFS,
        errno.ENOSYS,
        errno.ESRCH,
        errno.EAFNOSUPPORT,
        errno.EPROTONOSUPPORT,
        errno.ESOCKTNOSUPPORT,
    }
)
ROOT, NOBODY = 0, 65534

Facts = Mapping[str, Any]
Function = Callable[[Facts], Any]


class Attack(NamedTuple):
    """One thing to try from inside of a jail.

    ``function`` gets the facts (see bait.Bait and surroundings.inside) and returns what it got, or raises an OSError,
    Refused or Missing. It must do no harm where it succeeds. ``refusals`` are the errnos that are a no, ``user`` is who
    tries, ``rule`` says when that works. What is ``heard`` decides outside whether it did.
    """

    name: str
    kind: str
    summary: str
    rule: Rule
    function: Function
    refusals: frozenset[int]
    user: int
    heard: bool


class Outcome(NamedTuple):
    """What became of an attack: ``allowed``, or none where it could not be tried, and why.

    ``lost``: whoever tried it was killed or came to no end, and could not tell.
    """

    allowed: bool | None
    why: Any = ""
    lost: bool = False


class Refused(Exception):
    """The attack came to nothing, and no errno says so."""


class Missing(Exception):
    """There is nothing here to be attacked, or nothing to attack with."""


CATALOGUE: dict[str, Attack] = {}


def attack(rule: Rule, *refusals: int, user: int = ROOT, heard: bool = False) -> Callable[[Function], Function]:
    """Put a function into the catalogue, under its name and with the first line of what it says about itself."""

    def register(function: Function) -> Function:
        name, kind = function.__name__, function.__module__.rpartition(".")[2]
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        CATALOGUE[name] = Attack(
            name, kind, summary, rule, function, REFUSALS | frozenset(refusals), user=user, heard=heard
        )
        return function

    return register


def try_it(tried: Attack, facts: Facts) -> Outcome:
    """Carry an attack out, in this very process."""
    try:
        return Outcome(True, tried.function(facts))
    except Refused as refused:
        return Outcome(False, str(refused))
    except Missing as missing:
        return Outcome(None, str(missing))
    except OSError as error:
        if error.errno in tried.refusals:
            return Outcome(False, name_of(error))
        return Outcome(None, f"{name_of(error)}: {error}")
    except Exception as error:
        return Outcome(None, f"{type(error).__name__}: {error}")


def name_of(error: OSError) -> str:
    """``EPERM`` for the error of that number."""
    return errno.errorcode.get(error.errno or 0, str(error.errno))


def any_of(attempts: Mapping[str, Callable[[], Any]], refusals: frozenset[int] = REFUSALS) -> list[str]:
    """The names of the attempts that went through; Refused when none did, with each one's errno."""
    through, said = [], {}
    for name, attempt in attempts.items():
        try:
            attempt()
            through.append(name)
        except Refused as refused:
            said[name] = str(refused)
        except OSError as error:
            if error.errno not in refusals:
                raise OSError(error.errno, f"{name}: {error.strerror}") from error
            said[name] = name_of(error)
    if through:
        return through
    raise Refused(", ".join(f"{name}: {what}" for name, what in said.items()) or "nothing to try")


def any_of_these(
    things: Iterable[str], function: Callable[[str], Any], refusals: frozenset[int] = REFUSALS
) -> list[str]:
    """The same with one thing to try on each of several."""
    return any_of({thing: partial(function, thing) for thing in things}, refusals)


def past_permission(function: Callable[[], Any]) -> None:
    """Any answer but a refusal means that the kernel has let us in and dislikes only what we said."""
    try:
        function()
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EROFS):
            raise
