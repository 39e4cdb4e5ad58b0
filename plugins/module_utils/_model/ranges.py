# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Union

from .place import Place, shown

MOST_ELEMENTS = 10_000
_END = "[0-9]{1,19}|[a-z]|[A-Z]"
_RANGE = re.compile(rf"\[({_END}):({_END})(?::([0-9]{{1,19}}))?\]")
_REMEDY = "write it as in web[1:50], web[01:50], web[1:50:2] or web[a:f]"


class Each:
    """All elements of a list, or all values of a mapping."""

    def __init__(self, inner: Where) -> None:
        self.inner = inner


# A tree of the options whose texts are expanded along with the name; "" stands for the text itself. Commands and hooks
# are not among them: [1:5] may well mean something to a program.
Where = Union[str, Each, Mapping[str, "Where"]]
_EXPANDED: Where = {
    "name": "",
    "hostname": "",
    "workdir": "",
    "environment": Each(""),
    "mounts": Each({"source": ""}),
    "depends": Each(""),
    "labels": Each(""),
    "ip": {
        "addresses": Each(""),
        "mac": "",
        "forwards": Each({"port": "", "host_address": "", "to": "", "address": ""}),
    },
}


def expand_text(text: str, place: Place) -> list[str]:
    """All that a text with a range stands for: ``web[01:03]`` is web01, web02 and web03; without one it is itself.

    Several ranges in one text are counted through together, so they need the same length. Raises DocumentError for a
    range that is none: backwards, of mixed kinds, of more than MOST_ELEMENTS elements.
    """
    literals, columns, end = [], [], 0
    for found in _RANGE.finditer(text):
        literals.append(text[end : found.start()])
        columns.append(_words(found, place))
        end = found.end()
        if len(columns[-1]) != len(columns[0]):
            raise _different(found[0], len(columns[-1]), "the range before it", len(columns[0]), place)
    if not columns:
        return [text]
    rest = text[end:]
    return ["".join([*(a + b for a, b in zip(literals, row)), rest]) for row in zip(*columns)]


def expand_document(entry: Mapping[str, Any], place: Place) -> list[Mapping[str, Any]]:
    """The documents that an entry of a fleet stands for, as written otherwise: one for each name in its range.

    A range in another option that may hold one (host name, addresses, MAC, forwards, sources of mounts, environment,
    labels, depends, workdir) is counted through together with the name. In an entry whose name holds no range, nothing
    is one.
    """
    name = entry.get("name")
    if not isinstance(name, str) or "[" not in name:
        return [entry]
    where = place.at("name")
    found = _RANGE.findall(name)
    if not found:
        raise where.error(f"{shown(name)} holds no range", _REMEDY)
    if len(found) > 1:
        raise where.error(f"{shown(name)} holds {len(found)} ranges", "write an entry for each value of one of them")
    return _expand(entry, _EXPANDED, place, len(expand_text(name, where)))


def _expand(value: Any, where: Where, place: Place, count: int) -> list[Any]:
    """``count`` values made of one; what is not as it should be is left for the parser to complain about."""
    if isinstance(where, str):
        return _expand_leaf(value, place, count)
    if isinstance(value, Mapping):
        inner = dict.fromkeys(value, where.inner) if isinstance(where, Each) else where
        columns = {
            key: _expand(value[key], inner[key], place.at(key if isinstance(key, str) else shown(key)), count)
            for key in value
            if key in inner
        }
        return [{**value, **{key: column[i] for key, column in columns.items()}} for i in range(count)]
    if isinstance(value, (list, tuple)) and isinstance(where, Each):
        rows = [_expand(element, where.inner, place.item(index), count) for index, element in enumerate(value)]
        return [[row[i] for row in rows] for i in range(count)]
    return [value] * count


def _expand_leaf(value: Any, place: Place, count: int) -> list[Any]:
    if not isinstance(value, str) or "[" not in value:
        return [value] * count
    texts = expand_text(value, place)
    if len(texts) == count:
        return texts
    if texts == [value]:
        return [value] * count
    raise _different(value, len(texts), "the name", count, place)


def _words(found: re.Match[str], place: Place) -> list[str]:
    first, last, step = found[1], found[2], int(found[3] or 1)
    if step == 0:
        raise place.error(f"the range {found[0]} never ends", "use a step of at least 1")
    if first.isdigit() and last.isdigit():
        padded = any(end[0] == "0" and len(end) > 1 for end in (first, last))
        if padded and len(first) != len(last):
            raise place.error(f"the range {found[0]} has ends of different widths", "write as many digits in both")
        low, high, width = int(first), int(last), len(first) if padded else 1
    elif first.islower() == last.islower() and first.isalpha() == last.isalpha():
        low, high, width = ord(first), ord(last), 0
    else:
        raise place.error(f"the range {found[0]} has ends of different kinds", _REMEDY)
    count = (high - low) // step + 1
    if count < 1:
        raise place.error(f"the range {found[0]} runs backwards", "write the lower end first")
    if count > MOST_ELEMENTS:
        raise place.error(f"the range {found[0]} holds {count} elements", f"write ranges of at most {MOST_ELEMENTS}")
    numbers = range(low, high + 1, step)
    return [f"{number:0{width}}" if width else chr(number) for number in numbers]


def _different(text: str, length: int, other: str, expected: int, place: Place) -> Exception:
    return place.error(
        f"{shown(text)} stands for {length} values, and {other} for {expected}", "use ranges of the same length"
    )
