# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .devices import PROFILES
from .place import Place, did_you_mean, shown
from .scalars import BOOLEAN, Choice, Scalar, parse_text, text_like, whole_number
from .shapes import Option, Record

_NODE = text_like(
    r"/dev/[A-Za-z0-9_][A-Za-z0-9_.:+-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.:+-]*)*",
    what="the path of a device",
    remedy="write it in full, as in /dev/fuse",
)
_MODE = text_like(
    # With its zero: YAML turns one without quotes into another number.
    r"0[0-7]{3}",
    what="a mode",
    remedy="write it in quotes and with its leading zero, as in '0660'",
)

ENTRY = Record(
    Option("path", _NODE, "Where the jail finds the device.", required=True),
    Option("source", _NODE, "The host's node of the device, which by default has the same path."),
    Option("type", Choice("char", "block"), "Type of the device, to be given with its numbers."),
    Option("major", whole_number(0, 4095), "Number of its driver, instead of a node of the host."),
    Option("minor", whole_number(0, (1 << 20) - 1), "Number of the device among those of its driver."),
    Option("access", Choice("r", "w", "rw"), "What the jail may do with it."),
    Option("mode", _MODE, "Permissions of the node, which belongs to the jail's root."),
    Option("unsafe", BOOLEAN, "Give it although it reaches beyond the jail."),
)


def _parse(value: Any, place: Place) -> Any:
    """A profile by its name, or a device by its path or as a mapping with at least that."""
    if isinstance(value, Mapping):
        return ENTRY.parse(value, place)
    text = parse_text(value, place)
    if text in PROFILES:
        return text
    if text.startswith("/"):
        return {"path": _NODE.parse(text, place)}
    raise place.error(f"{shown(text)} is neither a profile nor a path", did_you_mean(text, PROFILES))


DEVICE_ENTRY = Scalar(_parse, {"anyOf": [{"type": "string"}, ENTRY.schema({})]}, ansible="raw")
