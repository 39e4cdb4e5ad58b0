# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .._kernel import capabilities, files, landlock, processes, seccomp
from .._kernel.credentials import become
from .._kernel.errors import KernelError
from . import places
from .errors import EngineError
from .finding import Finding

# What the engine needs in a jail without a user namespace, until it has put itself under the ceiling.
_TO_ENTER = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "SYS_ADMIN")


class Ceiling(NamedTuple):
    """What no process of a jail can rise above, ready to be imposed.

    ``bounding`` are capability numbers: root's permitted and effective sets after exec as well. ``seccomp`` is an array
    of struct sock_filter, empty for no filter. ``scoped``: the jail is on the host's network stack, whose abstract
    sockets it must not reach. ``on_host``: it has no user namespace, its root is the host's.
    """

    bounding: frozenset[int]
    no_new_privileges: bool
    securebits: int
    seccomp: bytes
    report: tuple[Finding, ...]
    scoped: bool = False
    on_host: bool = False

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, for the start that comes long after the definition."""
        return {
            "bounding": sorted(self.bounding),
            "no_new_privileges": self.no_new_privileges,
            "securebits": self.securebits,
            "seccomp": b64encode(self.seccomp).decode("ascii"),
            "scoped": self.scoped,
            "on_host": self.on_host,
            "report": [{"item": line.item, "verdict": line.verdict, "why": line.why} for line in self.report],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Ceiling:
        """The inverse of to_json; KeyError, TypeError or ValueError for what to_json did not write."""
        return cls(
            bounding=frozenset(int(number) for number in value["bounding"]),
            no_new_privileges=bool(value["no_new_privileges"]),
            securebits=int(value["securebits"]),
            seccomp=b64decode(value["seccomp"], validate=True),
            report=tuple(Finding(**line) for line in value["report"]),
            scoped=bool(value.get("scoped")),
            on_host=bool(value.get("on_host")),
        )


def read_ceiling(name: str) -> Ceiling:
    """What the init of a running jail was given. EngineError when it cannot be read: with what would one enter?"""
    try:
        return Ceiling.from_json(files.read_json(places.ceiling(name)))
    except (KernelError, LookupError, TypeError, ValueError) as error:
        remedy = f"restart the jail: jailctl restart {name}"
        raise EngineError(name, f"{places.ceiling(name)} is damaged", remedy=remedy) from error


def step_down(ceiling: Ceiling) -> None:
    """Give up, before the first file of a jail on the host's ids is looked at, what neither we nor its root need there.

    It is what joining a user namespace does elsewhere: no power over the host is left to be led astray.
    """
    kept = ceiling.bounding.union(map(capabilities.number_of, _TO_ENTER))
    held = capabilities.own_permitted() & kept
    capabilities.set_capabilities(permitted=held, effective=held)


def impose(ceiling: Ceiling, *, uid: int, gid: int, groups: Sequence[int]) -> None:
    """Put ourselves under the ceiling and become the user, right before exec; the same for a start and for an entry.

    We must be in the jail's namespaces and hold every capability in its user namespace, or, where it has none, those
    that step_down() leaves. Afterwards the process is
    undumpable again, but without parent death signal: a change of credentials clears it. Raises KernelError.
    """
    if ceiling.scoped:
        landlock.scope_abstract_sockets()
    capabilities.drop_bounding(ceiling.bounding)
    if ceiling.seccomp and not ceiling.no_new_privileges:
        # Without no_new_privs loading takes the CAP_SYS_ADMIN that is about to go. The default filter allows every
        # call below; what goes missing is the last line of defence against this function alone.
        seccomp.load_filter(ceiling.seccomp)
    if ceiling.securebits:
        capabilities.set_securebits(ceiling.securebits)
    become(uid=uid, gid=gid, groups=groups)
    # Inheritable stays empty: programs with file capabilities would gain them past the profile (CVE-2022-24769).
    # A user other than root has lost all of them in become(); root would get the bounding set at exec anyway.
    kept = ceiling.bounding if uid == 0 else frozenset()
    capabilities.set_capabilities(permitted=kept, effective=kept)
    capabilities.clear_ambient()
    processes.set_undumpable()
    if ceiling.no_new_privileges:
        processes.set_no_new_privileges()
        if ceiling.seccomp:
            seccomp.load_filter(ceiling.seccomp)
