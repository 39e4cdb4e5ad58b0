# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from typing import Any, Union

from .place import Place, shown
from .scalars import Scalar, whole_number

LAST_PORT = 65535
# A port is a number, several in a row are text, as both are written: 80, 8000-8010.
Ports = Union[int, str]

_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_REMEDY = f"write a number from 1 to {LAST_PORT}, or the first and the last as in 8000-8010"


def parse_ports(value: Any, place: Place) -> Ports:
    """A port, or a range of them; a range of one is that one."""
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    found = _RANGE.fullmatch(text)
    if not found:
        raise place.error(f"{shown(value)} is neither a port nor a range of ports", _REMEDY)
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= last <= LAST_PORT:
        raise place.error(f"{shown(value)} is no range of ports", _REMEDY)
    return first if first == last else f"{first}-{last}"


def bounds(ports: Ports) -> tuple[int, int]:
    """First and last of canonical ports."""
    first, _unused, last = str(ports).partition("-")
    return int(first), int(last or first)


PORT = whole_number(1, LAST_PORT)
PORTS = Scalar(
    parse_ports,
    {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": LAST_PORT},
            {"type": "string", "pattern": r"^[0-9]{1,5}(?:-[0-9]{1,5})?(?![\s\S])"},
        ]
    },
    definition="ports",
)
