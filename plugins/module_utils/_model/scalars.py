# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from .place import Place, did_you_mean, listed, shown

Parser = Callable[[Any, Place], Any]
Schema = dict[str, Any]

_FORBIDDEN = re.compile("[\0\n\r\ud800-\udfff]")
_FORBIDDEN_IN_ARGUMENTS = re.compile("[\0\ud800-\udfff]")
_WHOLE = re.compile(r"-?[0-9]{1,19}")


class Scalar:
    """An option's type that holds one value.

    ``parse(value, place)`` returns the canonical form of a value or raises the DocumentError of ``place``.
    ``definition`` is the name in the schema's ``$defs`` of a type that many options share; ``ansible`` is the type in
    an argument_spec.
    """

    def __init__(self, parse: Parser, schema: Mapping[str, Any], *, definition: str = "", ansible: str = "str") -> None:
        self.parse = parse
        self.definition = definition
        self.ansible = ansible
        self._schema = schema

    def schema(self, definitions: Schema) -> Schema:
        """JSON Schema of a value; a shared type is put into ``definitions`` and referred to."""
        if not self.definition:
            return dict(self._schema)
        definitions[self.definition] = dict(self._schema)
        return {"$ref": f"#/$defs/{self.definition}"}

    def argument_spec(self) -> Schema:
        """What AnsibleModule checks before we do."""
        return {"type": self.ansible}


class Choice:
    """An option's type that holds one of a few words; those in ``later`` are known, but not built yet."""

    def __init__(self, *choices: str, later: Collection[str] = ()) -> None:
        self.choices = choices
        self.later = later

    def parse(self, value: Any, place: Place) -> str:
        if isinstance(value, str) and value in self.choices:
            return str(value)
        if isinstance(value, str) and value in self.later:
            raise place.error(f"{shown(value)} is not available yet", f"use {listed(self.choices)}")
        raise place.error(f"{shown(value)} is not a choice", f"use {listed(self.choices)}")

    def schema(self, definitions: Schema) -> Schema:
        return {"enum": list(self.choices)}

    def argument_spec(self) -> Schema:
        return {"type": "str", "choices": list(self.choices)}


def parse_text(value: Any, place: Place) -> str:
    """Any text of one line; a whole number counts as its digits, as YAML takes quotes away so easily."""
    return _parse_text(value, place, _FORBIDDEN, "write it on one line and in UTF-8")


def parse_argument(value: Any, place: Place) -> str:
    """An argument of a program, which may be a script of several lines; execve(2) ends one at a NUL byte."""
    return _parse_text(value, place, _FORBIDDEN_IN_ARGUMENTS, "write it in UTF-8 and without NUL bytes")


def _parse_text(value: Any, place: Place, forbidden: re.Pattern[str], remedy: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64:
        return str(value)
    if not isinstance(value, str):
        raise place.error(f"{shown(value)} is not text", "put it in quotes")
    found = forbidden.search(value)
    if found:
        raise place.error(f"{shown(value)} contains {shown(found[0])}", remedy)
    return str(value)


TEXT = Scalar(parse_text, {"type": ["string", "integer"], "pattern": r"^[^\u0000\n\r]*(?![\s\S])"}, definition="text")

ARGUMENT = Scalar(
    parse_argument, {"type": ["string", "integer"], "pattern": r"^[^\u0000]*(?![\s\S])"}, definition="argument"
)


def text_like(pattern: str, *, what: str, remedy: str, definition: str = "") -> Scalar:
    """Text of which all must match a regular expression that Python and JSON Schema (ECMA 262) both understand."""
    compiled = re.compile(pattern)

    def parse(value: Any, place: Place) -> str:
        text = parse_text(value, place)
        if not compiled.fullmatch(text):
            raise place.error(f"{shown(text)} is not {what}", remedy)
        return text

    # `$` would match before a newline at the end in Python's engine, which jsonschema uses.
    schema = {"type": ["string", "integer"], "pattern": rf"^(?:{pattern})(?![\s\S])"}
    return Scalar(parse, schema, definition=definition)


def whole_number(minimum: int, maximum: int) -> Scalar:
    """An integer within limits; its digits as text are accepted, as templates produce them."""

    def parse(value: Any, place: Place) -> int:
        number = int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value
        if isinstance(number, bool) or not isinstance(number, int) or not minimum <= number <= maximum:
            raise place.error(f"{shown(value)} is not accepted", f"write a whole number from {minimum} to {maximum}")
        return int(number)

    bounds = {"type": "integer", "minimum": minimum, "maximum": maximum}
    return Scalar(parse, {"anyOf": [bounds, {"type": "string", "pattern": "^-?[0-9]{1,19}$"}]}, ansible="int")


def parse_boolean(value: Any, place: Place) -> bool:
    """True or false, and no word that looks like it."""
    if not isinstance(value, bool):
        raise place.error(f"{shown(value)} is neither true nor false", "write true or false, without quotes")
    return value


BOOLEAN = Scalar(parse_boolean, {"type": "boolean"}, ansible="bool")


def word_of(known: Collection[str], *, what: str, canonical: Callable[[str], str]) -> Scalar:
    """One of many known words, too many for a list of choices, which ``canonical`` spells alike before the look-up."""

    def parse(value: Any, place: Place) -> str:
        word = canonical(parse_text(value, place))
        if word not in known:
            raise place.error(f"{shown(value)} is not {what}", did_you_mean(word, known))
        return word

    return Scalar(parse, {"type": ["string", "integer"]})
