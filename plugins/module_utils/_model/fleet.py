# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .document import check, merge, normalise
from .errors import DocumentError
from .fleet_conflicts import across, conflicts, duplicates
from .fleet_dependencies import contradictions, cycles
from .fleet_member import Member
from .fleet_purge import LABEL, purge
from .names import parse_name
from .options import DOCUMENT
from .place import Place, shown
from .ranges import expand_document
from .scalars import parse_text
from .shapes import Record, is_empty, missing
from .wanted import WANTED_STATES, refuse_unknown_word

__all__ = ["LABEL", "Member", "across", "conflicts", "parse_fleet", "purge"]

_DEFAULT_STATE = "started"


def parse_fleet(jails: Any, defaults: Any, *, fleet: Any) -> tuple[list[Member], list[DocumentError]]:
    """Read all jails of a task, and find everything wrong with them that can be found without a host.

    ``jails`` is the list as the operator wrote it, with ranges; ``defaults`` is put under each of them, options taken
    as merge() takes them. Each document gets the label ``fleet``. The paths of the errors lead into the task:
    ``jails[17].ip.addresses[0]``, ``defaults.limits.memory``. The members are complete only if there are no errors.
    """
    try:
        reader = _Reader(_parse_fleet_name(fleet), defaults)
        for index, entry in enumerate(_parse_list(jails)):
            reader.read_entry(entry, Place("", f"jails[{index}]"))
    except DocumentError as error:
        return [], [error]
    members = reader.members
    return members, [*reader.errors, *duplicates(members, {}), *contradictions(members), *cycles(members)]


class _Reader:
    """Reads the entries of one task; what is wrong with one of them does not keep it from the next."""

    def __init__(self, fleet: str, defaults: Any) -> None:
        self.members: list[Member] = []
        self.errors: list[DocumentError] = []
        self._fleet = fleet
        self._defaults, self._state = _parse_defaults(defaults)

    def read_entry(self, entry: Any, place: Place) -> None:
        """Take in the jails that an entry stands for."""
        try:
            documents = _parse_entry(entry, place)
        except DocumentError as error:
            self.errors.append(error)
            return
        said: set[tuple[str, str]] = set()
        for document in documents:
            for found in self._read(document, place):
                # The elements of a range have most mistakes in common.
                if (found.path, found.message) not in said:
                    said.add((found.path, found.message))
                    self.errors.append(found)

    def _read(self, entry: Mapping[str, Any], place: Place) -> list[DocumentError]:
        try:
            member = self._parse(entry, place)
        except DocumentError as error:
            return [error]
        self.members.append(member)
        return check(member.document, prefix=f"{place.path}.") if member.stays else []

    def _parse(self, entry: Mapping[str, Any], place: Place) -> Member:
        said = dict(entry)
        name = parse_name(said["name"], place.at("name"))
        here = Place(name, place.path)
        state = _take_state(said, here) or self._state
        _refuse_strangers(said, here)
        if state != "absent":
            said = merge(self._defaults, said)
            said["labels"] = self._labels(said.get("labels"), here.at("labels"))
        return Member(name, place.path, state, normalise(said, jail=name, prefix=f"{place.path}."))

    def _labels(self, labels: Any, place: Place) -> Any:
        if labels is not None and not isinstance(labels, Mapping):
            return labels  # which normalise() refuses
        labels = labels or {}
        said = labels.get(LABEL)
        if not is_empty(said) and said not in (None, self._fleet):
            raise place.at(LABEL).error(
                f"{shown(said)} is another fleet than that of the task, {shown(self._fleet)}", "leave it out"
            )
        return {**labels, LABEL: self._fleet}


def _refuse_strangers(said: Mapping[str, Any], place: Place) -> None:
    """Names that are no options, also in parts of the document: merge() would take out an empty one without a word."""
    for name, value in said.items():
        if name not in DOCUMENT.names:
            raise DOCUMENT.stranger(name, place)
        part = DOCUMENT.option(name).type
        if isinstance(part, Record) and isinstance(value, Mapping):
            for inner in value:
                if inner not in part.names:
                    raise part.stranger(inner, place.at(name))


def _parse_fleet_name(fleet: Any) -> str:
    place = Place("", "fleet")
    if is_empty(fleet):
        raise place.error("is empty", "name the fleet")
    return parse_text(fleet, place)


def _parse_list(jails: Any) -> list[Any]:
    if not isinstance(jails, (list, tuple)):
        raise Place("", "jails").error(f"{shown(jails)} is not a list", "write a list of jails, each with its name")
    return list(jails)


def _parse_entry(entry: Any, place: Place) -> list[Mapping[str, Any]]:
    if not isinstance(entry, Mapping):
        raise place.error(f"{shown(entry)} is not a mapping", "write the options of a jail, at least its name")
    if entry.get("name") is None:
        raise missing(place.at("name"))
    return expand_document(entry, place)


def _parse_defaults(defaults: Any) -> tuple[dict[str, Any], str]:
    """Defaults in canonical form and the default state; a mistake in them is reported once, not with each jail."""
    place = Place("", "defaults")
    if defaults is None:
        return {}, _DEFAULT_STATE
    if not isinstance(defaults, Mapping):
        raise place.error(f"{shown(defaults)} is not a mapping", "write options of a jail, which hold for all of them")
    if "name" in defaults:
        raise place.at("name").error("a name belongs to one jail", "say it in jails")
    said = dict(defaults)
    state = _take_state(said, place) or _DEFAULT_STATE
    document = DOCUMENT.parse({**said, "name": LABEL}, place)
    del document["name"]
    return document, state


def _take_state(said: dict[str, Any], place: Place) -> str:
    """Take the state, which is no option of a document, out of what is said; empty if it is not said."""
    state = said.pop("state", None)
    if state is None or is_empty(state):
        return ""
    refuse_unknown_word(state, WANTED_STATES, place.at("state"))
    return str(state)
