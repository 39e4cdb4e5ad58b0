# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""A ceiling for a command of the host: what reducecap(8) of VServer did, without any jail.

Root below the ceiling is still the owner of the host's files. It holds programs to what they are for; what wants to get
out belongs into a jail.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from .._kernel import capabilities, seccomp
from .._kernel.errors import KernelError
from .._kernel.process_privileges import read_standing
from .._model.profiles import resolve_privileges
from .ceiling import Ceiling, impose
from .errors import EngineError


class Reduction(NamedTuple):
    """How far a command's powers are reduced: capability numbers to leave or give besides, and to take."""

    secure: bool = False
    left: frozenset[int] = frozenset()
    taken: frozenset[int] = frozenset()


def lower(reduction: Reduction) -> None:
    """Put ourselves below the ceiling: bounding set, the other sets, no_new_privs and filter. There is no way back.

    KernelError EPERM where we lack CAP_SETPCAP ourselves.
    """
    impose(ceiling_of(reduction), uid=os.getuid(), gid=os.getgid(), groups=os.getgroups())


def ceiling_of(reduction: Reduction) -> Ceiling:
    """What of our own powers a reduction leaves.

    ``secure`` is the jails' profile of that name with its filter and no_new_privs. Without it no more is taken than
    what is named, and programs with set-user-id bits work as ever, below the ceiling.
    """
    own = capabilities.read_sets(os.getpid())
    kept = own.permitted & own.bounding
    if reduction.secure:
        profile = resolve_privileges({"profile": "secure"}, jail="", system=False)
        kept &= reduction.left.union(map(capabilities.number_of, profile.capabilities))
    kept -= reduction.taken
    return Ceiling(
        bounding=kept,
        no_new_privileges=reduction.secure,
        securebits=0,
        seccomp=_filter(kept) if reduction.secure and seccomp.is_available() else b"",
        report=(),
    )


def _filter(kept: frozenset[int]) -> bytes:
    from .._kernel.seccomp_compiler import compile_filter
    from .syscall_policy import verdicts

    try:
        return compile_filter(
            verdicts([capabilities.name_of(number) for number in kept]), architecture=os.uname().machine
        )
    except ValueError as error:
        raise EngineError("", str(error), remedy="leave --secure out") from error


def describe(pid: int) -> list[str]:
    """What a process may do, a line for each set and each bar. KernelError ESRCH when it is gone."""
    standing = read_standing(pid)
    if standing is None:
        raise KernelError("look at process", str(pid), 3)
    sets = {
        kind: _words(capabilities.name_of(number) for number in sorted(held))
        for kind, held in standing.sets._asdict().items()
    }
    own = pid == os.getpid()
    bars = {
        "securebits": _words(capabilities.read_securebits()) if own else "(the kernel tells nobody another's)",
        "no_new_privs": "yes" if standing.no_new_privileges else "no",
        "seccomp": standing.seccomp,
    }
    return [f"{name:<14}{value}" for name, value in {**sets, **bars}.items()]


def _words(names: Iterable[str]) -> str:
    return ", ".join(names) or "-"
