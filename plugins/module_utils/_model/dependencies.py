# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import DocumentError
from .place import Place

Documents = Mapping[str, Mapping[str, Any]]


def start_order(documents: Documents) -> list[str]:
    """Names of jails so that each comes after all that it depends on; where that leaves a choice, by name.

    Raises DocumentError for a jail that depends on one that is not among the documents, and for a cycle, which it
    names.
    """
    return [name for group in levels(documents) for name in group]


def stop_order(documents: Documents) -> list[str]:
    """Names of jails so that each comes before all that it depends on."""
    return start_order(documents)[::-1]


def levels(documents: Documents) -> list[list[str]]:
    """Names of jails in groups, each as early as all that its jails depend on allow; raises as start_order()."""
    groups, waiting = _layers({name: _dependencies(name, documents) for name in sorted(documents)})
    for circle in _circles(waiting):
        raise circle_error(circle, Place(circle[0]))
    return groups


def circles(documents: Documents) -> list[list[str]]:
    """Jails that depend on each other in a circle, each in one circle at most; all that they need must be there."""
    _groups, waiting = _layers({name: _dependencies(name, documents) for name in sorted(documents)})
    return list(_circles(waiting))


def circle_error(circle: Sequence[str], place: Place) -> DocumentError:
    """The complaint about a circle of jails, at the place of the first one's document."""
    message = f"jails depend on each other in a circle: {' -> '.join([*circle, circle[0]])}"
    return place.at("depends").error(message, "take one of them out of the list of another")


def _dependencies(name: str, documents: Documents) -> list[str]:
    needs: list[str] = list(documents[name].get("depends", ()))
    for index, other in enumerate(needs):
        if other not in documents:
            place = Place(name).at("depends").item(index)
            raise place.error(f"there is no jail {other}", "define it first, or take it out of the list")
    return needs


def _layers(needs: Mapping[str, Sequence[str]]) -> tuple[list[list[str]], dict[str, Sequence[str]]]:
    """Groups of names, each in order, and what is left with its needs since it is in a circle or waits for one."""
    missing = {name: len(set(others)) for name, others in needs.items()}
    waiting_for: dict[str, list[str]] = {name: [] for name in needs}
    for name, others in needs.items():
        for other in set(others):
            waiting_for[other].append(name)
    layers: list[list[str]] = []
    layer = [name for name, count in missing.items() if count == 0]
    while layer:
        layers.append(layer)
        for name in layer:
            for other in waiting_for[name]:
                missing[other] -= 1
        layer = sorted({other for name in layer for other in waiting_for[name] if missing[other] == 0})
    return layers, {name: needs[name] for name, count in missing.items() if count}


def _circles(waiting: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Each jail that waits has a need that waits too, so following those leads into a circle."""
    seen: set[str] = set()
    for start in waiting:
        path: list[str] = []
        name = start
        while name not in seen:
            seen.add(name)
            path.append(name)
            name = [need for need in waiting[name] if need in waiting][0]
        if name in path:
            yield path[path.index(name) :]
