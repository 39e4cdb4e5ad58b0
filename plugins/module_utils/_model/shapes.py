# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Union

from .errors import DocumentError
from .place import Place, did_you_mean, listed, shown
from .scalars import Choice, Scalar, Schema

# What a change of an option costs: done on the running jail, at its next start, or with a new root file system.
LIVE, RESTART, REBUILD = "live", "restart", "rebuild"
# An effect that depends on the old and the new value is a function of them.
Effect = Union[str, Callable[[Any, Any], str]]


class Option:
    """One row of the option table.

    ``default`` is what holds when the option was never said (lists and mappings: empty); ``effect`` is what a change
    costs. An empty value (null, "", [], {}) takes an option out of the document, unless it ``may_be_empty``.
    """

    def __init__(
        self,
        name: str,
        type: Type,
        description: str | Sequence[str],
        *,
        effect: Effect = RESTART,
        default: Any = None,
        required: bool = False,
        may_be_empty: bool = False,
        only_sounds_secret: bool = False,
    ) -> None:
        self.name = name
        self.type = type
        self.description = [description] if isinstance(description, str) else list(description)
        self.effect = effect
        self.default = default
        self.required = required
        self.may_be_empty = may_be_empty
        self.only_sounds_secret = only_sounds_secret

    def effect_of(self, before: Any, after: Any) -> str:
        """What it costs to change the option from one value to another."""
        return self.effect if isinstance(self.effect, str) else self.effect(before, after)

    def says_nothing(self, value: Any) -> bool:
        """Whether a value takes the option out of the document instead of setting it."""
        return value is None or (not self.may_be_empty and is_empty(value))

    def argument_spec(self) -> Schema:
        """The option's entry in an argument_spec.

        It has no default: AnsibleModule must leave what was not said as None, so that it stays as stored.
        """
        spec = self.type.argument_spec()
        if self.required:
            spec["required"] = True
        if self.only_sounds_secret:
            spec["no_log"] = False
        return spec


class ListOf:
    """Values of one type, in the order that they were given in; ``unique`` refuses the same one twice."""

    def __init__(self, element: Type, *, unique: bool = False) -> None:
        self.element = element
        self.unique = unique

    def parse(self, value: Any, place: Place) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise place.error(f"{shown(value)} is not a list", "write a list, also for a single element")
        parsed = [self.element.parse(element, place.item(index)) for index, element in enumerate(value)]
        if self.unique:
            self._refuse_repetition(parsed, place)
        return parsed

    def schema(self, definitions: Schema) -> Schema:
        return {"type": "array", "items": self.element.schema(definitions)}

    def argument_spec(self) -> Schema:
        spec = self.element.argument_spec()
        elements = {"type": "list", "elements": spec.pop("type")}
        return {**elements, **spec}

    @staticmethod
    def _refuse_repetition(parsed: list[Any], place: Place) -> None:
        for index, element in enumerate(parsed):
            first = parsed.index(element)
            if first != index:
                raise place.item(index).error(
                    f"{shown(element)} is already said by {place.item(first).path}", "say it once"
                )


class MapOf:
    """Values of one type under names that the operator chooses within the rule of ``key``."""

    def __init__(self, key: Scalar, value: Scalar) -> None:
        self.key = key
        self.value = value

    def parse(self, value: Any, place: Place) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise place.error(f"{shown(value)} is not a mapping", "write names with values, as in NAME: VALUE")
        parsed: dict[str, Any] = {}
        for name, element in value.items():
            where = place.at(name if isinstance(name, str) else shown(name))
            key = self.key.parse(name, where)
            if key in parsed:
                raise where.error(f"{key} is said twice", "say it once")
            parsed[key] = self.value.parse(element, where)
        return dict(sorted(parsed.items()))

    def schema(self, definitions: Schema) -> Schema:
        return {"type": "object", "additionalProperties": self.value.schema(definitions)}

    def argument_spec(self) -> Schema:
        return {"type": "dict"}


class Record:
    """Named options; ``one_of`` wants exactly one of them. Names in ``later`` are known, but not built yet."""

    def __init__(self, *options: Option, one_of: bool = False, later: Collection[str] = ()) -> None:
        self.options = options
        self.one_of = one_of
        self.later = later
        self.names = [option.name for option in options]

    def parse(self, value: Any, place: Place) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise place.error(f"{shown(value)} is not a mapping", f"its options are {listed(self.names, 'and')}")
        for name in value:
            if name not in self.names:
                raise self.stranger(name, place)
        parsed: dict[str, Any] = {}
        for option in self.options:
            if option.name not in value and not option.required:
                continue
            found = self._parse_option(option, value.get(option.name), place.at(option.name))
            if not option.says_nothing(found):
                parsed[option.name] = found
        if self.one_of and len(parsed) != 1:
            said = f"says both {listed(parsed, 'and')}" if parsed else "says nothing"
            raise place.error(said, f"say exactly one of {listed(self.names)}")
        return parsed

    def schema(self, definitions: Schema) -> Schema:
        schema: Schema = {
            "type": "object",
            "properties": {option.name: _described(option, definitions) for option in self.options},
            "additionalProperties": False,
        }
        required = [option.name for option in self.options if option.required]
        if required:
            schema["required"] = required
        if self.one_of:
            schema.update(minProperties=1, maxProperties=1)
        return schema

    def argument_spec(self) -> Schema:
        return {"type": "dict", "options": self.argument_specs()}

    def argument_specs(self) -> Schema:
        """The argument_spec entries of all options, by name."""
        return {option.name: option.argument_spec() for option in self.options}

    @staticmethod
    def _parse_option(option: Option, value: Any, place: Place) -> Any:
        if not option.says_nothing(value):
            return option.type.parse(value, place)
        if option.required:
            raise missing(place)
        return None

    def option(self, name: str) -> Option:
        """The option of that name; ValueError if there is none."""
        return self.options[self.names.index(name)]

    def stranger(self, name: Any, place: Place) -> DocumentError:
        """The complaint about a name that none of the options has."""
        if isinstance(name, str) and name in self.later:
            remedy = f"use {listed(self.names)}" if self.one_of else "leave it out"
            return place.at(name).error("is not available yet", remedy)
        where = place.at(name) if isinstance(name, str) else place
        return where.error("there is no option of that name", did_you_mean(name, self.names))


def missing(place: Place) -> DocumentError:
    """The complaint about a required option that is not said."""
    return place.error("is missing", "say it")


Type = Union[Scalar, Choice, ListOf, MapOf, Record]


def is_empty(value: Any) -> bool:
    """Whether a value is empty text, an empty list or an empty mapping."""
    return isinstance(value, (str, list, tuple, Mapping)) and not value


def _described(option: Option, definitions: Schema) -> Schema:
    schema = option.type.schema(definitions)
    return {"description": " ".join(option.description), **schema}
