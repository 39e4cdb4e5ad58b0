# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from ..module_utils._model.errors import DocumentError
from ..module_utils._model.fleet import Member, parse_fleet
from ..module_utils._model.fleet_options import DEFAULT_FLEET
from ..module_utils._model.options import DOCUMENT, json_schema
from ..module_utils._model.place import Place, shown
from ..module_utils._model.ranges import expand_document
from ..module_utils._model.shapes import ListOf, MapOf, Record, Type, missing

_ENTRY = re.compile(r"jails\[([0-9]+)\]")


def read_documents(arguments: Mapping[str, Any]) -> tuple[list[Member], list[DocumentError]]:
    """The jails of a task from its arguments ``jails``, ``defaults`` and ``fleet``, and all that is wrong with them.

    The schema refuses nothing that the parser takes, and takes longer than all else here: it has its say where there is
    a mistake, to find the others. Raises ImportError then, without jsonschema.
    """
    members, errors = parse_documents(arguments)
    if not errors:
        return members, []
    found = [*shape_errors(arguments.get("jails"), arguments.get("defaults")), *errors]
    distinct = {(error.path, error.message): error for error in found}
    return members, sorted(distinct.values(), key=_number_of_entry)


def names_of(arguments: Mapping[str, Any]) -> list[str]:
    """The names of the jails of a task that nothing is wrong with."""
    return [str(found["name"]) for entry in arguments.get("jails") or () for found in expand_document(entry, Place(""))]


def parse_documents(arguments: Mapping[str, Any]) -> tuple[list[Member], list[DocumentError]]:
    """As read_documents(), with no more than the first mistake of each document, and without jsonschema."""
    fleet = arguments.get("fleet", DEFAULT_FLEET)
    return parse_fleet(arguments.get("jails"), arguments.get("defaults"), fleet=fleet)


def shape_errors(jails: Any, defaults: Any) -> list[DocumentError]:
    """Every option of a fleet's documents that has the wrong shape, in the order of the documents.

    jsonschema finds them, all at once, where the parser stops at the first one of a document; the parser's own words
    say what is wrong and what would be accepted. So nothing is refused that the parser takes. What is no list of
    mappings is left to parse_fleet().

    Raises ImportError without jsonschema.
    """
    errors = (
        _errors_of({**defaults, "name": "defaults"}, Place("", "defaults")) if isinstance(defaults, Mapping) else []
    )
    for index, entry in enumerate(jails if isinstance(jails, (list, tuple)) else ()):
        if isinstance(entry, Mapping) and entry.get("name") is not None:
            errors += _errors_of(entry, Place("", f"jails[{index}]"))
    return errors


def _errors_of(entry: Mapping[str, Any], place: Place) -> list[DocumentError]:
    try:
        # The elements of a range differ in texts only, which the parser reads one by one.
        first = expand_document(entry, place)[0]
    except DocumentError:
        return []  # parse_fleet() says the same
    document = {name: value for name, value in first.items() if name != "state"}
    here = Place(str(document["name"]) if place.path != "defaults" else "", place.path)
    return [found for error in _validator().iter_errors(document) for found in _in_our_words(error, document, here)]


def _in_our_words(error: Any, value: Any, place: Place) -> Iterator[DocumentError]:
    """What the option table says about what a ValidationError of jsonschema is about: nothing, if it accepts that."""
    type: Type = DOCUMENT
    for key in error.absolute_path:
        value = value[key]
        if isinstance(type, Record):
            option = type.option(key)
            if option.says_nothing(value):
                return
            type, place = option.type, place.at(key)
        elif isinstance(type, ListOf):
            type, place = type.element, place.item(key)
        elif isinstance(type, MapOf):
            type, place = type.value, place.at(key if isinstance(key, str) else shown(key))
    if isinstance(type, Record) and error.validator == "additionalProperties":
        yield from (type.stranger(name, place) for name in value if name not in type.names)
    elif isinstance(type, Record) and error.validator == "required":
        yield from (missing(place.at(name)) for name in error.validator_value if name not in value)
    else:
        try:
            type.parse(value, place)
        except DocumentError as found:
            yield found


def _number_of_entry(error: DocumentError) -> int:
    found = _ENTRY.match(error.path)
    return int(found[1]) if found else -1


@lru_cache(maxsize=1)
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json_schema())
