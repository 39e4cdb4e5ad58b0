# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from typing import Any

from .place import Place, shown

_RANGE = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")
_REMEDY = "write processor numbers and ranges, as in 0-3,8"

CPUSET_SCHEMA = {"type": ["string", "integer"], "pattern": r"^[0-9, -]+(?![\s\S])"}


def parse_cpuset(value: Any, place: Place) -> str:
    """The kernel's own spelling of a set of processors (cpuset(7), list format): ``3,0-1,2`` is ``0-3``."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10000 else value
    if not isinstance(text, str):
        raise place.error(f"{shown(value)} is not a set of processors", _REMEDY)
    processors: set[int] = set()
    for part in text.replace(" ", "").split(","):
        found = _RANGE.fullmatch(part)
        if not found or int(found[2] or found[1]) < int(found[1]):
            raise place.error(f"{shown(text)} is not a set of processors", _REMEDY)
        processors.update(range(int(found[1]), int(found[2] or found[1]) + 1))
    return ",".join(_spans(sorted(processors)))


def _spans(numbers: list[int]) -> list[str]:
    spans: list[str] = []
    first = previous = numbers[0]
    for number in [*numbers[1:], -1]:
        if number != previous + 1:
            spans.append(str(first) if first == previous else f"{first}-{previous}")
            first = number
        previous = number
    return spans
