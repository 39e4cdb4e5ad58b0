# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..module_utils._model.place import Place, shown, some
from ..module_utils._model.scalars import TEXT, Scalar
from ..module_utils._model.shapes import Option, Record
from ..module_utils._model.sizes import SIZE_SCHEMA, parse_size
from ._entries import expand_entries
from ._placement import DoesNotFit, Host, Jail, place

_NUMBER_AT_END = re.compile(r"[0-9]+$")


def place_jails(jails: Any, hosts: Any, *, spread: str | None, size: str | None) -> dict[str, list[Any]]:
    """The jails of each host, as they were given: see the filter ``place`` for what is accepted.

    Raises DocumentError for what is not, and ValueError for jails of one name or without a size, and for too many.
    """
    elements = _elements(jails)
    targets = _parse_hosts(hosts)
    wanted = [_jail(name, element, spread=spread, size=size) for name, element in elements.items()]
    try:
        placed = place(wanted, targets)
    except DoesNotFit as error:
        raise ValueError(f"no host has room for {some(error.names)}") from error
    result: dict[str, list[Any]] = {host.name: [] for host in targets}
    for name, element in elements.items():
        result[placed[name]].append(element)
    return result


def _elements(jails: Any) -> dict[str, Any]:
    if isinstance(jails, int) and not isinstance(jails, bool):
        return {str(number): number for number in range(1, jails + 1)}
    elements: dict[str, Any] = {}
    for element in expand_entries(jails):
        name = element["name"] if isinstance(element, Mapping) else element
        if name in elements:
            raise ValueError(f"there are two jails called {name}")
        elements[name] = element
    return elements


def _jail(name: str, element: Any, *, spread: str | None, size: str | None) -> Jail:
    document = element if isinstance(element, Mapping) else {}
    group = _look_up(document, spread) if spread else None
    taken = _look_up(document, size) if size else 1
    if taken is None:
        raise ValueError(f"jail {name} says no {size}")
    return Jail(
        name=name,
        group=_NUMBER_AT_END.sub("", name) if group is None else f"said {group}",
        size=parse_size(taken, Place(name, size or "")),
    )


def _look_up(document: Any, path: str) -> Any:
    for key in path.split("."):
        document = document.get(key) if isinstance(document, Mapping) else None
    return document


def _parse_hosts(hosts: Any) -> list[Host]:
    where = Place("", "hosts")
    if isinstance(hosts, str) or not isinstance(hosts, (list, tuple, Mapping)):
        raise where.error(f"{shown(hosts)} is neither a list nor a mapping", "list the names of hosts")
    said = hosts if isinstance(hosts, Mapping) else dict.fromkeys(hosts)
    if not said:
        raise where.error("is empty", "name at least one host")
    return [
        Host(name=str(name), **(_HOST.parse(options, where.at(str(name))) if options is not None else {}))
        for name, options in said.items()
    ]


def _parse_weight(value: Any, place: Place) -> float:
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = 0.0
    if isinstance(value, bool) or not 0 < weight < float("inf"):
        raise place.error(f"{shown(value)} is no weight", "write a number above 0, such as 2 or 0.5")
    return weight


_HOST = Record(
    Option("weight", Scalar(_parse_weight, {}), ""),
    Option("domain", TEXT, ""),
    Option("capacity", Scalar(parse_size, SIZE_SCHEMA), ""),
)
