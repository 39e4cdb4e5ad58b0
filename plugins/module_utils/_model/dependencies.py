# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .place import Place

Documents = Mapping[str, Mapping[str, Any]]


def start_order(documents: Documents) -> list[str]:
    """Names of jails so that each comes after all that it depends on; where that leaves a choice, by name.

    Raises DocumentError for a jail that depends on one that is not among the documents, and for a cycle, which it
    names.
    """
    waiting = {name: _dependencies(name, documents) for name in sorted(documents)}
    order: list[str] = []
    done: set[str] = set()
    while waiting:
        ready = [name for name, needs in waiting.items() if done.issuperset(needs)]
        if not ready:
            raise _cycle(waiting)
        order += ready
        done.update(ready)
        for name in ready:
            del waiting[name]
    return order


def stop_order(documents: Documents) -> list[str]:
    """Names of jails so that each comes before all that it depends on."""
    return start_order(documents)[::-1]


def _dependencies(name: str, documents: Documents) -> list[str]:
    needs: list[str] = list(documents[name].get("depends", ()))
    for index, other in enumerate(needs):
        if other not in documents:
            place = Place(name).at("depends").item(index)
            raise place.error(f"there is no jail {other}", "define it first, or take it out of the list")
    return needs


def _cycle(waiting: Mapping[str, list[str]]) -> Exception:
    """Each jail that waits has a need that waits too, so following those leads into a circle."""
    path: list[str] = []
    name = next(iter(waiting))
    while name not in path:
        path.append(name)
        name = next(need for need in waiting[name] if need in waiting)
    circle = [*path[path.index(name) :], name]
    message = f"jails depend on each other in a circle: {' -> '.join(circle)}"
    return Place(circle[0]).at("depends").error(message, "take one of them out of the list of another")
