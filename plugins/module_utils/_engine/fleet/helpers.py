# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from .reporters import Reporter

Item = TypeVar("Item")
Found = TypeVar("Found")

# A process costs as much as looking at some jails.
_FEWEST = 25


def map_all(
    look: Callable[[Item], Found], items: Sequence[Item], *, parallel: int, settle: Callable[[], None]
) -> list[Found]:
    """What ``look`` finds at each of some items, in their order; where there are many, in several forked processes.

    It must change nothing: what a process was to look at that was killed is looked at once more. ``settle`` is called
    in a new process first, to let go of what it cannot share with its parent.
    """
    count = max(1, min(parallel, len(items) // _FEWEST))
    portions = [items[number::count] for number in range(count)]
    helpers = [_Helper(look, portion, settle) for portion in portions[1:]]
    try:
        found = [[look(item) for item in portions[0]]]
        for helper, portion in zip(helpers, portions[1:]):
            found.append(helper.found() or [look(item) for item in portion])
    finally:
        for helper in helpers:
            helper.end()
    return [found[number % count][number // count] for number in range(len(items))]


class _Helper(Reporter):
    """A process that looks at a portion."""

    def __init__(self, look: Callable[[Any], Any], portion: Sequence[Any], settle: Callable[[], None]) -> None:
        def work(writer: int) -> None:
            settle()
            _answer(writer, [look(item) for item in portion])

        super().__init__(work)

    def found(self) -> list[Any]:
        """All that it has found, nothing where it did not come to its end."""
        import pickle

        with open(self.reader, "rb", closefd=False) as answer:
            packed = answer.read()
        try:
            found: list[Any] = pickle.loads(packed)
        except (EOFError, pickle.UnpicklingError):
            return []
        return found


def _answer(writer: int, found: list[Any]) -> None:
    import pickle

    with open(writer, "wb") as answer:
        pickle.dump(found, answer, pickle.HIGHEST_PROTOCOL)
