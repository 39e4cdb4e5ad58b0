# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..module_utils._model.place import Place, shown
from ..module_utils._model.ranges import expand_document, expand_text


def expand_entry(entry: Any, place: Place) -> list[Any]:
    """What a document, or a name alone, stands for; raises DocumentError for what is neither."""
    if isinstance(entry, str):
        return list(expand_text(entry, place))
    if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
        return [dict(document) for document in expand_document(entry, place)]
    raise place.error(f"{shown(entry)} is neither a jail nor the name of one", "write a name, or a document with one")


def expand_entries(entries: Any) -> Iterator[Any]:
    """As expand_entry() for each element of a list, or for a single entry."""
    if not isinstance(entries, (list, tuple)):
        yield from expand_entry(entries, Place(""))
        return
    for index, entry in enumerate(entries):
        yield from expand_entry(entry, Place("", f"[{index}]"))
