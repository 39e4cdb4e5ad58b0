# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from typing import Any

from .place import Place, shown

# Powers of 1,024, as in the kernel's memparse(): what is written here means the same in a cgroup file.
_SUFFIXES = ("", "K", "M", "G", "T")
_SIZE = re.compile(r"([0-9]{1,19})([KMGTkmgt]?)")
_LARGEST = (1 << 63) - 1
_REMEDY = "write a whole number with an optional suffix K, M, G or T"

SIZE_SCHEMA = {
    "type": ["string", "integer"],
    "minimum": 0,
    "pattern": r"^[0-9]{1,19}[KMGTkmgt]?(?![\s\S])",
}


def parse_size(value: Any, place: Place | None = None) -> int:
    """Bytes of ``256M`` (suffixes are powers of 1,024) or of a plain number of bytes.

    Raises the DocumentError of ``place`` for anything else, for fractions and for more than 2^63-1 bytes.
    """
    place = place or Place("")
    found = _SIZE.fullmatch(str(value)) if _may_be_size(value) else None
    if not found:
        raise place.error(f"{shown(value)} is not a size", _REMEDY)
    size = int(found[1]) << (10 * _SUFFIXES.index(found[2].upper()))
    if size > _LARGEST:
        raise place.error(f"{shown(value)} is more than any machine has", _REMEDY)
    return size


def format_size(size: int) -> str:
    """The shortest text that stands for exactly ``size`` bytes: ``256M``, ``1536K``, ``1000``."""
    power = 0
    while size and size % 1024 == 0 and power < len(_SUFFIXES) - 1:
        size //= 1024
        power += 1
    return f"{size}{_SUFFIXES[power]}"


def _may_be_size(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, str) or (isinstance(value, int) and 0 <= value <= _LARGEST)
