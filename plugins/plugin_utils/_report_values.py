# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..module_utils._model.errors import DocumentError
from ..module_utils._model.sizes import parse_size

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
# What moves a terminal's cursor, or turns the direction of writing (Unicode's Bidi_Control), could hide a row.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LONGEST_TEXT = 500


@dataclass(frozen=True)
class Bar:
    """How much of a limit is used; ``percent`` is None without a limit, ``text`` empty without a figure."""

    used: float = 0.0
    percent: float | None = None
    text: str = ""

    @classmethod
    def of(cls, used: float | None, limit: float | None, show: Callable[[float], str]) -> Bar:
        """A bar of two figures; ``show`` makes a text of one of them."""
        if used is None:
            return cls()
        if not limit or limit <= 0:
            return cls(used, None, show(used))
        return cls(used, min(999.0, 100.0 * used / limit), f"{show(used)} of {show(limit)}")


def size_bar(used: Any, limit: Any) -> Bar:
    """A bar of bytes; the limit as a document writes it, such as ``256M``."""
    try:
        most = None if limit is None else float(parse_size(limit))
    except DocumentError:
        most = None
    return Bar.of(number(used), most, size)


def text(value: Any) -> str:
    """One line of plain text, whatever the value is."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", str(value))[:_LONGEST_TEXT]


def address_of(value: Any) -> str:
    """An address without the prefix that says no more than that it is a single one."""
    shown = text(value)
    bare, _unused, prefix = shown.partition("/")
    return bare if prefix == ("128" if ":" in bare else "32") else shown


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts web2 before web10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]{1,18})", name)]


def number(value: Any) -> float | None:
    """A finite number that is not negative, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def mapping(value: Any) -> Mapping[str, Any]:
    """The mapping, an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> list[Any]:
    """The list, an empty one for anything else."""
    return list(value) if isinstance(value, (list, tuple)) else []


def rows_of(value: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The mappings in a list."""
    return [row for row in listed(value.get(key)) if isinstance(row, Mapping)]


def size(count: float) -> str:
    """``5.2 MiB``"""
    power = 0
    while count >= 1024 and power < len(_UNITS) - 1:
        count /= 1024
        power += 1
    return f"{count:.0f} {_UNITS[power]}" if power == 0 or count >= 100 else f"{count:.1f} {_UNITS[power]}"


def duration(seconds: float | None) -> str:
    """The two largest units: ``3 d 4 h``, ``12 min 5 s``; empty for None."""
    if seconds is None:
        return ""
    rest = int(seconds)
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, rest = divmod(rest, length)
        if amount or parts or unit == "s":
            parts.append(f"{amount} {unit}")
        if len(parts) == 2:
            break
    return " ".join(parts)
