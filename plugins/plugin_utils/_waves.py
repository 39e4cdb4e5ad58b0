# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from ..module_utils._model.dependencies import start_order

T = TypeVar("T")

_SIZE = re.compile(r"([0-9]{1,6})(%?)")


def in_waves(items: Sequence[T], sizes: Sequence[Any]) -> list[list[T]]:
    """The items cut into waves, in their order.

    ``sizes`` are numbers or shares of all items such as ``25%``, of which the last one holds for all further waves; a
    share is rounded up, so that no wave is empty. Raises ValueError for a size that is none.
    """
    waves: list[list[T]] = []
    rest = list(items)
    for size in _repeating_the_last(sizes, len(items)):
        if not rest:
            return waves
        waves.append(rest[:size])
        rest = rest[size:]
    return waves


def by_dependency(rows: Sequence[Mapping[str, Any]], *, stopping: bool = False) -> list[Mapping[str, Any]]:
    """Rows of jails so that each comes after all that it depends on, or before them if they are to be stopped.

    Dependencies that are not among the rows do not count. Raises DocumentError for a circle.
    """
    known = {str(row["name"]): row for row in rows}
    documents = {
        name: {"depends": [need for need in row.get("depends") or () if need in known]} for name, row in known.items()
    }
    order = start_order(documents)
    return [known[name] for name in (reversed(order) if stopping else order)]


def _repeating_the_last(sizes: Sequence[Any], total: int) -> Iterator[int]:
    numbers = [_number(size, total) for size in sizes]
    if not numbers:
        raise ValueError("there is no size of a wave; say for example [1, 25%]")
    yield from numbers
    while True:
        yield numbers[-1]


def _number(size: Any, total: int) -> int:
    found = None if isinstance(size, bool) else _SIZE.fullmatch(str(size))
    number = int(found[1]) if found else 0
    if number < 1:
        raise ValueError(f"{size!r} is no size of a wave; say a number from 1 on, or a share such as 25%")
    return number if found and not found[2] else max(1, math.ceil(total * number / 100))
