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


def conflicts(members: Sequence[Member], others: Documents) -> list[DocumentError]:
    """What cannot be on one host together, all of it: names, addresses, MACs and dependencies of all jails.

    ``others`` are the documents on the host of jails that the task does not name and that stay; what is wrong between
    those is no error of this task.
    """
    return [*duplicates(members, others), *unmet(members, others), *cycles(members, others)]


def duplicates(members: Sequence[Member], others: Documents) -> list[DocumentError]:
    """Names, addresses and MACs that a member shares with one before it or with one of the others."""
    taken = {what: f"jail {name} of this host" for name in others for what, _place in _claims(others[name], Place(""))}
    names: dict[str, str] = {}
    errors: list[DocumentError] = []
    for member in members:
        first = names.setdefault(member.name, member.place)
        if first != member.place:
            errors.append(member.at().at("name").error(f"{member.name} is the name of {first} already", "name it once"))
            continue
        errors += _refused_claims(member, taken)
    return errors


def across(hosts: Mapping[str, Sequence[Member]]) -> dict[str, list[DocumentError]]:
    """Addresses that jails of several hosts share, by the host whose jail comes second.

    Only what is routed must be unique there: two hosts may each have a jail of the same name.
    """
    taken: dict[str, str] = {}
    errors: dict[str, list[DocumentError]] = {}
    for host, members in hosts.items():
        here: dict[str, str] = {}
        for member in members:
            for address, place in _addresses(member.document, member.at()):
                if address in taken:
                    errors.setdefault(host, []).append(_taken(address, taken[address], place))
                elif member.stays:
                    here.setdefault(address, f"{member.place} (jail {member.name}) of host {host}")
        taken.update(here)
    return errors


def unmet(members: Sequence[Member], others: Documents) -> list[DocumentError]:
    """Dependencies on jails that are not there after the task, or that it stops."""
    by_name = {member.name: member for member in members}
    return [
        error
        for member in members
        if member.stays
        for index, need in enumerate(member.document.get("depends", ()))
        for error in _unmet(member, by_name.get(need), need, index, known=need in others)
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


def levels(members: Sequence[Member], others: Documents) -> list[list[str]]:
    """Names of the members in groups, each group after all that its jails depend on, be it by way of others.

    Expects members without conflicts; raises the DocumentError of a circle.
    """
    names = {member.name for member in members}
    groups = ([name for name in group if name in names] for group in dependencies.levels(_graph(members, others)))
    return [group for group in groups if group]


def _graph(members: Sequence[Member], others: Documents) -> dict[str, dict[str, list[str]]]:
    """Who depends on whom, without jails that are not there."""
    documents: dict[str, Mapping[str, Any]] = {**others, **{member.name: member.document for member in members}}
    return {
        name: {"depends": [need for need in document.get("depends", ()) if need in documents]}
        for name, document in documents.items()
    }


def _unmet(member: Member, other: Member | None, need: str, index: int, *, known: bool) -> Iterator[DocumentError]:
    place = member.at().at("depends").item(index)
    if other is None:
        if not known:
            yield place.error(f"there is no jail {need}", "list it in jails, or take it out of here")
    elif not other.stays or (other.state == "stopped" and member.state in _RUNNING):
        yield place.error(
            f"{other.place} says that {need} is to be {other.state}",
            f"let {need} stay, or take it out of here"
            if not other.stays
            else f"start {need}, stop {member.name} as well, or take it out of here",
        )


def _refused_claims(member: Member, taken: dict[str, str]) -> Iterator[DocumentError]:
    if not member.stays:
        return
    for what, place in _claims(member.document, member.at()):
        if what in taken:
            yield _taken(what, taken[what], place)
        else:
            taken[what] = f"{place.path} (jail {member.name})"


def _claims(document: Mapping[str, Any], place: Place) -> Iterator[tuple[str, Place]]:
    """What only one jail of a host can have, and where the document says it."""
    yield from _addresses(document, place)
    mac = document.get("ip", {}).get("mac")
    if mac:
        yield mac, place.at("ip").at("mac")


def _addresses(document: Mapping[str, Any], place: Place) -> Iterator[tuple[str, Place]]:
    ip = document.get("ip", {})
    if ip.get("mode") == "none":
        return
    where = place.at("ip").at("addresses")
    for index, address in enumerate(ip.get("addresses", ())):
        yield address, where.item(index)


def _taken(what: str, owner: str, place: Place) -> DocumentError:
    return place.error(f"{what} is taken by {owner}", "give each jail one of its own")
