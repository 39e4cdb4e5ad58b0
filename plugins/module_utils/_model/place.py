# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from .errors import DocumentError

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_SHOWN = 60
_LARGEST_SHOWN = 1 << 64
_MOST_NAMED = 5


class Place:
    """A place in the document of a jail, which is what every complaint about it starts with.

    ``path`` is written as the operator would: ``ip.addresses[0]``, or ``jails[17].ip.addresses[0]`` where the
    document is itself an element of something larger.
    """

    def __init__(self, jail: str, path: str = "") -> None:
        self.jail = jail
        self.path = path

    def at(self, key: str) -> Place:
        """The option, or the entry of a mapping, called ``key``."""
        if not _PLAIN_KEY.fullmatch(key):
            return Place(self.jail, f"{self.path}[{shown(key)}]")
        return Place(self.jail, f"{self.path}.{key}" if self.path else key)

    def item(self, index: int) -> Place:
        """The element of a list, counted from 0."""
        return Place(self.jail, f"{self.path}[{index}]")

    def error(self, message: str, remedy: str = "") -> DocumentError:
        """The complaint, to be raised or collected by the caller."""
        return DocumentError(self.jail, self.path, message, remedy)


def shown(value: Any) -> str:
    """A value as a message quotes it: on one line, and short whatever it is."""
    if isinstance(value, int) and abs(value) >= _LARGEST_SHOWN:
        return "a number of that size"  # Python refuses to print integers of more than 4,300 digits
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    if value is None:
        return "nothing"
    text = ascii(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def listed(names: Iterable[str], last: str = "or") -> str:
    """``a, b or c``"""
    *most, final = names
    return f"{', '.join(most)} {last} {final}" if most else final


def some(names: Sequence[str]) -> str:
    """``a, b, c, d, e and 15 more``"""
    more = len(names) - _MOST_NAMED
    return ", ".join(names) if more < 2 else f"{', '.join(names[:_MOST_NAMED])} and {more} more"


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """The remedy for a name that nobody knows: the nearest one that is known, else all of them."""
    from difflib import get_close_matches  # only a mistake pays for this import

    names = list(known)
    nearest = get_close_matches(word.lower(), [name.lower() for name in names], n=1) if isinstance(word, str) else []
    for name in names:
        if nearest == [name.lower()]:
            return f"did you mean {name}?"
    return f"known are {listed(names, 'and')}"
