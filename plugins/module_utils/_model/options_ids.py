# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .allocation import END_OF_IDS, RANGE
from .place import Place
from .scalars import Scalar, parse_boolean, whole_number
from .shapes import Option, Record

IDS = Record(
    Option("base", whole_number(RANGE, END_OF_IDS - RANGE), "The host's id of the jail's root.", required=True),
    Option("size", whole_number(RANGE, END_OF_IDS - RANGE), "How many ids follow; 65536 where nothing is said."),
)


def _parse(value: Any, place: Place) -> Any:
    """True, false, or ``{base, size}``."""
    if not isinstance(value, Mapping):
        return parse_boolean(value, place)
    ids: dict[str, int] = {"size": RANGE, **IDS.parse(value, place)}
    for name, number in ids.items():
        if number % RANGE:
            nearest = number // RANGE * RANGE
            message = f"{number} is not a multiple of {RANGE}, as it is for containers (systemd.io/UIDS-GIDS)"
            raise place.at(name).error(message, f"write {nearest} or {nearest + RANGE}")
    if ids["base"] + ids["size"] > END_OF_IDS:
        raise place.error(f"reaches beyond {END_OF_IDS - 1}, the last id", "choose a lower base or a smaller size")
    return {"base": ids["base"], "size": ids["size"]}


USER_NAMESPACE = Scalar(_parse, {"anyOf": [{"type": "boolean"}, IDS.schema({})]}, ansible="raw")
