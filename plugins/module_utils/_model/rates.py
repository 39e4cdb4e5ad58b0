# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from typing import Any

from .place import Place, shown
from .scalars import Scalar

# Networks are sold by powers of 1,000 (ISO 80000-13), unlike memory.
_SUFFIXES = ("", "K", "M", "G")
_RATE = re.compile(r"([0-9]{1,11})([KMGkmg]?)")
_SMALLEST = 64_000
# The kernel's token bucket counts bytes a second in 32 bits (tc_ratespec, linux/pkt_sched.h).
_LARGEST = 34_000_000_000
_REMEDY = "write bits a second with a suffix K, M or G of 1,000s, from 64K to 34G"


def parse_rate(value: Any, place: Place | None = None) -> int:
    """Bits a second of ``10M``, which is ten million.

    Raises the DocumentError of ``place`` for anything else, and for less or more than can be held to.
    """
    place = place or Place("")
    may_be = isinstance(value, (int, str)) and not isinstance(value, bool)
    found = _RATE.fullmatch(str(value)) if may_be and not (isinstance(value, int) and value > _LARGEST) else None
    if not found:
        raise place.error(f"{shown(value)} is not a rate", _REMEDY)
    rate = int(found[1]) * int(1000 ** _SUFFIXES.index(found[2].upper()))
    if not _SMALLEST <= rate <= _LARGEST:
        raise place.error(f"{shown(value)} is out of range", _REMEDY)
    return rate


def format_rate(rate: int) -> str:
    """The shortest text that stands for exactly ``rate`` bits a second: ``10M``, ``1500K``."""
    power = 0
    while rate and rate % 1000 == 0 and power < len(_SUFFIXES) - 1:
        rate //= 1000
        power += 1
    return f"{rate}{_SUFFIXES[power]}"


def _parse(value: Any, place: Place) -> str:
    return format_rate(parse_rate(value, place))


RATE = Scalar(
    _parse,
    {"type": ["string", "integer"], "minimum": _SMALLEST, "pattern": r"^[0-9]{1,11}[KMGkmg]?(?![\s\S])"},
    definition="rate",
)
