# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._model.actions import Plan
from .._model.dependencies import start_order
from . import status, store
from .errors import DamagedRecord


def to_start_first(planned: Plan) -> list[str]:
    """Names of the jails that a planned start depends on and that do not run, in the order to start them.

    DocumentError for one that is not defined on this host, and for a circle.
    """
    if not planned.after or not any(action.kind == "jail.start" for action in planned.actions):
        return []
    documents = _reached_from(planned.jail, planned.after)
    order = [name for name in start_order(documents) if name != planned.jail]
    return [name for name in order if status.run_state(name) not in ("running", "frozen")]


def _reached_from(name: str, document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The documents of a jail and of all that it depends on, directly or not; those that are not there are left out."""
    found: dict[str, Mapping[str, Any]] = {name: document}
    waiting = list(document.get("depends", ()))
    while waiting:
        other = waiting.pop()
        stored = _stored(other) if other not in found else None
        if stored is not None:
            found[other] = stored
            waiting += stored.get("depends", ())
    return found


def _stored(name: str) -> Mapping[str, Any] | None:
    """A document; where it cannot be read, one that says nothing: the jail may run all the same."""
    try:
        return store.read_document(name)
    except DamagedRecord:
        return {}
