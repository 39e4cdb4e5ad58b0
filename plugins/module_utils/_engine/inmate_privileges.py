# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What every process of a jail may do, and where that is not what its jail's document says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from .._kernel import capabilities, process_table
from .._kernel.capabilities import CapabilitySets
from .._kernel.process_privileges import Standing, belongs_to, read_standing
from .._model.profiles import privileges_of
from . import inmates, places
from .ceiling import Ceiling


class Policy(NamedTuple):
    """What is expected of the processes of a running jail.

    ``init`` is its first process. ``documented`` are the capabilities that the document gives now, which a jail gets
    that is started anew.
    """

    init: int
    ceiling: Ceiling
    documented: frozenset[int]


def policy_of(document: Mapping[str, Any], *, init: int, ceiling: Ceiling) -> Policy:
    """The policy of a jail by its effective document; that of its start alone where the document is damaged."""
    if not document:
        return Policy(init, ceiling, ceiling.bounding)
    names = privileges_of(document).capabilities
    return Policy(init, ceiling, frozenset(capabilities.number_of(name) for name in names))


def standings(name: str, policy: Policy) -> list[dict[str, Any]]:
    """A row for each process of a jail: who it is, its capability sets by name, and its ``drift`` from the policy.

    ``drift`` is a list of sentences, empty for a process that may do what it should.
    """
    jail = read_standing(policy.init)
    if jail is None:
        return []
    found = []
    for row in inmates.processes_of(name):
        standing, drift = _look_at(row["pid"], policy, jail)
        entering = bool(drift) and _is_entering(row["pid"], jail)
        if drift and not entering:
            # One that was entering at our first look may have become its command since.
            standing, drift = _look_at(row["pid"], policy, jail)
        if standing:
            found.append(_row(row, standing, [] if entering else drift))
    return found


def _look_at(pid: int, policy: Policy, jail: Standing) -> tuple[Standing | None, list[str]]:
    standing = read_standing(pid)
    return standing, list(_drift(pid, standing, policy=policy, jail=jail)) if standing else []


def _row(row: Mapping[str, Any], standing: Standing, drift: list[str]) -> dict[str, Any]:
    identity = {key: row[key] for key in ("pid", "jail_pid", "uid", "jail_uid", "user", "command")}
    return {
        **identity,
        "capabilities": named_sets(standing.sets),
        "seccomp": standing.seccomp,
        "no_new_privileges": standing.no_new_privileges,
        "namespaces": dict(standing.namespaces),
        "drift": drift,
    }


def named_sets(sets: CapabilitySets) -> dict[str, list[str]]:
    """Capability sets with the names of what is in them, in the kernel's order."""
    return {kind: [capabilities.name_of(number) for number in sorted(held)] for kind, held in sets._asdict().items()}


def _drift(pid: int, standing: Standing, *, policy: Policy, jail: Standing) -> Iterator[str]:
    """Where a process differs from what it should be, in sentences without their subject."""
    ours = jail.namespaces.get("user", 0)
    at_home = standing.namespaces.get("user") == ours
    if at_home or not belongs_to(pid, "user", ours):
        yield from _excess(standing.sets, policy)
    if policy.ceiling.seccomp and standing.seccomp != "filter":
        yield "is under no filter of system calls"
    if policy.ceiling.no_new_privileges and not standing.no_new_privileges:
        yield "may gain privileges by exec"
    on_host = policy.ceiling.on_host
    foreign = [kind for kind in standing.namespaces if _is_foreign(pid, kind, standing, jail, on_host=on_host)]
    if foreign:
        yield f"is in namespaces that are not the jail's: {', '.join(foreign)}"


def _is_foreign(pid: int, kind: str, standing: Standing, jail: Standing, *, on_host: bool) -> bool:
    """A namespace that a jail's root has made belongs to the jail, by way of the user namespace that owns it.

    In a jail without one nobody makes any.
    """
    home = jail.namespaces.get(kind)
    if home in (None, standing.namespaces[kind]):
        return False
    if on_host:
        return True
    return not belongs_to(pid, kind, jail.namespaces.get("user", 0))


def _is_entering(pid: int, jail: Standing) -> bool:
    """Whether it is a process of jailctl exec: one that waits outside for its command, or will become that command.

    Only the host's root has processes in the jail's group that are, or whose parents are, outside of the jail's pids.
    """
    process = process_table.read_process(pid)
    if process is None or process.name != places.ENTERING:
        return False
    around = (read_standing(pid), read_standing(process.parent))
    return any(one is None or one.namespaces.get("pid") != jail.namespaces.get("pid") for one in around)


def _excess(sets: CapabilitySets, policy: Policy) -> Iterator[str]:
    """Capabilities that count in the jail: those in a user namespace of its own making are worth nothing here."""
    kinds_by_excess: dict[frozenset[int], list[str]] = {}
    for kind, held in sets._asdict().items():
        kinds_by_excess.setdefault(held - policy.ceiling.bounding, []).append(kind)
    for beyond, kinds in kinds_by_excess.items():
        if beyond:
            yield f"exceeds its jail's ceiling ({', '.join(kinds)}) by {_list(beyond)}"
    outdated = frozenset().union(*sets) & policy.ceiling.bounding - policy.documented
    if outdated:
        yield f"has {_list(outdated)} until the jail is restarted, which the document does not give any more"


def _list(numbers: Collection[int]) -> str:
    return ", ".join(capabilities.name_of(number) for number in sorted(numbers))
