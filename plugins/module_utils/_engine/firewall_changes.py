# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What is in our table, and the one transaction that leads from there to what is wanted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .._kernel.files import canonical_json
from .._kernel.nftables import Command
from . import firewall_table as table
from .firewall_contents import Contents, Element, rule_mark


class Installed(NamedTuple):
    """The table as the kernel has it. ``sound`` says that all of it is there that belongs to no jail.

    ``elements`` are those of each jail, ``chains`` the comments of the rules of each jail's chains, ``owners`` the
    jail of each chain; a jail's name stands in the comment of all that is its own.
    """

    sound: bool
    elements: Mapping[str, frozenset[Element]]
    chains: Mapping[str, tuple[str, ...]]

    def jails(self) -> set[str]:
        """Names of all jails that have something there."""
        return {*self.elements, *(name.partition("-")[2] for name in self.chains)}


def parse(objects: Iterable[Mapping[str, Any]]) -> Installed:
    """Read what nftables.read_table() returns."""
    elements: dict[str, set[Element]] = {}
    rules: dict[str, list[str]] = {}
    shapes: list[tuple[Any, ...]] = []
    for entry in objects:
        for kind, found in entry.items():
            if kind in ("set", "map"):
                shapes.append((kind, found["name"]))
                _collect(found["name"], found.get("elem", ()), elements)
            elif kind == "chain":
                rules.setdefault(found["name"], [])
                if "-" not in found["name"]:
                    shapes.append((kind, found["name"], found.get("type"), found.get("hook"), found.get("prio")))
            elif kind == "rule":
                rules.setdefault(found["chain"], []).append(found.get("comment", ""))
    ours = {name: comments for name, comments in rules.items() if "-" not in name}
    return Installed(
        sound=(sorted(map(repr, shapes)), ours) == _expected(),
        elements={jail: frozenset(found) for jail, found in elements.items()},
        chains={name: tuple(comments) for name, comments in rules.items() if "-" in name},
    )


def _expected() -> tuple[list[str], dict[str, list[str]]]:
    """What ``parse`` finds of the table in itself."""
    shapes: list[tuple[Any, ...]] = []
    rules: dict[str, list[str]] = {}
    for command in table.skeleton():
        for kind, added in command["add"].items():
            if kind in ("set", "map"):
                shapes.append((kind, added["name"]))
            elif kind == "chain":
                rules[added["name"]] = []
                shapes.append((kind, added["name"], added.get("type"), added.get("hook"), added.get("prio")))
            elif kind == "rule":
                rules[added["chain"]].append(added["comment"])
    return sorted(map(repr, shapes)), rules


def _collect(name: str, found: Iterable[Any], elements: dict[str, set[Element]]) -> None:
    for entry in found:
        key, value = entry if isinstance(entry, list) else (entry, None)
        owner = ""
        if isinstance(key, dict) and "elem" in key:
            owner, key = key["elem"].get("comment", ""), key["elem"]["val"]
        element = Element(name, canonical_json(key), "" if value is None else canonical_json(value))
        elements.setdefault(owner, set()).add(element)


def drift(installed: Installed | None, jail: str, wanted: Contents) -> tuple[str, ...]:
    """What is not as wanted of one jail, a few words each."""
    if installed is None:
        return ("the table is gone",) if wanted else ()
    if not installed.sound:
        return ("the table is damaged",) if wanted else ()
    have = installed.elements.get(jail, frozenset())
    missing, strange = len(wanted.elements - have), len(have - wanted.elements)
    found = [f"{missing} missing"] if missing else []
    found += [f"{strange} too many"] if strange else []
    return (*found, *(["other rules"] if _chains(installed, jail) != _marks(jail, wanted) else []))


def _chains(installed: Installed, jail: str) -> dict[str, tuple[str, ...]]:
    return {name: marks for name, marks in installed.chains.items() if name.partition("-")[2] == jail}


def _marks(jail: str, wanted: Contents) -> dict[str, tuple[str, ...]]:
    return {name: tuple(rule_mark(jail, rule) for rule in rules) for name, rules in wanted.chains.items()}


def rebuilding(wanted: Mapping[str, Contents], *, exists: bool) -> list[Command]:
    """The commands that make the table anew, with what all jails have in it."""
    removal: list[Command] = [{"delete": table.whole()}] if exists else []
    if not any(contents.needs_table for contents in wanted.values()):
        return removal
    empty = Installed(sound=True, elements={}, chains={})
    return [*removal, *table.skeleton(), *_changes(empty, wanted)]


def changing(installed: Installed, wanted: Mapping[str, Contents]) -> list[Command]:
    """The commands that give some jails what is wanted of them; the last that needs the table takes it along."""
    if not any(contents.needs_table for contents in [*wanted.values(), *_others(installed, wanted)]):
        return [{"delete": table.whole()}]
    return _changes(installed, wanted)


def leaves_table(commands: Sequence[Command], *, exists: bool) -> bool:
    """Whether the table is there after some commands."""
    about = [verb for command in commands for verb, what in command.items() if "table" in what]
    return about[-1] == "add" if about else exists


def _others(installed: Installed, wanted: Mapping[str, Contents]) -> list[Contents]:
    """What jails have that nothing is wanted of."""
    chains: dict[str, dict[str, Any]] = {}
    for name, marks in installed.chains.items():
        chains.setdefault(name.partition("-")[2], {})[name] = marks
    return [
        Contents(installed.elements.get(jail, frozenset()), chains.get(jail, {}))
        for jail in installed.jails() - set(wanted)
    ]


def _changes(installed: Installed, wanted: Mapping[str, Contents]) -> list[Command]:
    """In an order that refers to nothing which is not there yet, or not any more."""
    removed: list[tuple[str, Element]] = []
    added: list[tuple[str, Element]] = []
    chains: list[Command] = []
    gone: list[Command] = []
    for jail, content in sorted(wanted.items()):
        have = installed.elements.get(jail, frozenset())
        removed += [(jail, element) for element in sorted(have - content.elements)]
        added += [(jail, element) for element in sorted(content.elements - have)]
        present, marks = _chains(installed, jail), _marks(jail, content)
        for name, rules in content.chains.items():
            if present.get(name) != marks[name]:
                chains += _chain(name, jail, rules)
        gone += [command for name in present if name not in marks for command in _chain_removal(name)]
    return [*_by_set(table.delete, removed), *chains, *_by_set(table.add, added), *gone]


def _chain(name: str, jail: str, rules: Sequence[Sequence[Any]]) -> list[Command]:
    added = [
        table.add("rule", chain=name, comment=rule_mark(jail, statements), expr=list(statements))
        for statements in rules
    ]
    return [table.add("chain", name=name), {"flush": table.add("chain", name=name)["add"]}, *added]


def _chain_removal(name: str) -> list[Command]:
    chain = table.delete("chain", name=name)
    return [{"flush": chain["delete"]}, chain]


def _by_set(command: Any, elements: Iterable[tuple[str, Element]]) -> list[Command]:
    """One command a set for all its elements."""
    by_name: dict[str, list[Any]] = {}
    for jail, element in elements:
        key = {"elem": {"val": json.loads(element.key), "comment": jail}}
        by_name.setdefault(element.name, []).append([key, json.loads(element.value)] if element.value else key)
    return [command("element", name=name, elem=found) for name, found in by_name.items()]
