# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import dependencies
from .dependencies import Documents
from .errors import DocumentError
from .fleet_member import Member
from .place import Place

_RUNNING = ("started", "restarted", "frozen")


def missing(members: Sequence[Member], others: Documents) -> list[DocumentError]:
    """Dependencies on jails that are neither in the task nor on the host."""
    known = {*others, *(member.name for member in members)}
    return [
        place.error(f"there is no jail {need}", "list it in jails, or take it out of here")
        for member, need, place in _dependencies(members)
        if need not in known
    ]


def contradictions(members: Sequence[Member]) -> list[DocumentError]:
    """Dependencies on jails that the same task removes, or stops while it starts those that depend on them."""
    by_name = {member.name: member for member in members}
    return [
        place.error(
            f"{by_name[need].place} says that {need} is to be {by_name[need].state}",
            f"let {member.name} be {by_name[need].state} as well, or take {need} out of here",
        )
        for member, need, place in _dependencies(members)
        if need in by_name and _contradicts(member, by_name[need])
    ]


def cycles(members: Sequence[Member], others: Documents | None = None) -> list[DocumentError]:
    """Circles of jails that depend on each other, as far as members are part of them."""
    by_name = {member.name: member for member in members}
    errors = []
    for circle in dependencies.circles(_graph(members, others or {})):
        ours = next((index for index, name in enumerate(circle) if name in by_name), None)
        if ours is not None:
            names = [*circle[ours:], *circle[:ours]]
            errors.append(dependencies.circle_error(names, by_name[names[0]].at()))
    return errors


def _graph(members: Sequence[Member], others: Documents) -> dict[str, dict[str, list[str]]]:
    """Who depends on whom, without jails that are not there."""
    documents: dict[str, Mapping[str, Any]] = {**others, **{member.name: member.document for member in members}}
    return {
        name: {"depends": [need for need in document.get("depends", ()) if need in documents]}
        for name, document in documents.items()
    }


def _contradicts(member: Member, need: Member) -> bool:
    return not need.stays or (need.state == "stopped" and member.state in _RUNNING)


def _dependencies(members: Sequence[Member]) -> Iterator[tuple[Member, str, Place]]:
    for member in members:
        if member.stays:
            where = member.at().at("depends")
            for index, need in enumerate(member.document.get("depends", ())):
                yield member, need, where.item(index)
