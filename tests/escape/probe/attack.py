# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an attack is, and how the probe comes to its verdict."""

from __future__ import annotations

import errno
import json
import os
import signal
from typing import Any, Callable, NamedTuple

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
SECONDS = 15

Facts = dict[str, Any]


class Attack(NamedTuple):
    function: Callable[[Facts], Any]
    refusals: frozenset[int]


class Refused(Exception):
    """The attack came to nothing, and no errno says so."""


ATTACKS: dict[str, Attack] = {}


def attack(*refusals: int) -> Callable[[Callable[[Facts], Any]], Callable[[Facts], Any]]:
    """Register an attack. It returns what it got, or raises Refused or an OSError; ``refusals`` are more errnos."""

    def register(function: Callable[[Facts], Any]) -> Callable[[Facts], Any]:
        ATTACKS[function.__name__] = Attack(function, REFUSALS | frozenset(refusals))
        return function

    return register


def run(tried: Attack, facts: Facts) -> dict[str, Any]:
    """Run an attack in a process of its own: ``allowed`` true or false with ``why``, or none and the ``error``."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        signal.alarm(SECONDS)
        os.write(writer, json.dumps(_verdict(tried, facts)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    status = os.waitpid(pid, 0)[1]
    if answer:
        return json.loads(answer)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGSYS, signal.SIGSEGV, signal.SIGKILL):
        return {"allowed": False, "why": signal.Signals(os.WTERMSIG(status)).name}
    return {"allowed": None, "why": f"died without a verdict, wait status {status:#x}"}


def _verdict(tried: Attack, facts: Facts) -> dict[str, Any]:
    try:
        return {"allowed": True, "why": tried.function(facts)}
    except Refused as refused:
        return {"allowed": False, "why": str(refused)}
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, str(error.errno))
        if error.errno in tried.refusals:
            return {"allowed": False, "why": name}
        return {"allowed": None, "why": f"{name}: {error}"}
    except Exception as error:
        return {"allowed": None, "why": f"{type(error).__name__}: {error}"}


def any_of(attempts: dict[str, Callable[[], Any]], refusals: frozenset[int] = REFUSALS) -> list[str]:
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
            said[name] = errno.errorcode.get(error.errno or 0, "?")
    if through:
        return through
    raise Refused(json.dumps(said))
