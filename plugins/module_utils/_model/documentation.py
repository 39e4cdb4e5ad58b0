# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .options import options_of
from .shapes import ListOf, Option, Record, Type


def options_documentation(part: str) -> dict[str, Any]:
    """The ``options:`` of a module's DOCUMENTATION for the options of a part.

    There is no ``default`` in it, as an option that is not said stays as stored: the default of a new jail is told in
    the description.
    """
    return _documented(options_of(part))


def _documented(options: Sequence[Option]) -> dict[str, Any]:
    return {option.name: _entry(option) for option in options}


def _entry(option: Option) -> dict[str, Any]:
    spec = option.argument_spec()
    spec.pop("options", None)
    spec.pop("no_log", None)
    entry = {"description": _description(option), **spec}
    nested = _nested(option.type)
    return {**entry, "suboptions": _documented(nested.options)} if nested else entry


def _nested(type: Type) -> Record | None:
    inner = type.element if isinstance(type, ListOf) else type
    return inner if isinstance(inner, Record) else None


def _description(option: Option) -> list[str]:
    if option.default is None:
        return list(option.description)
    value = str(option.default).lower() if isinstance(option.default, bool) else option.default
    return [*option.description, f"A jail that never said otherwise has V({value})."]
