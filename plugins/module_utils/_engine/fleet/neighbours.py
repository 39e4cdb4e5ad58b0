# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from typing import Any

from ..._model.addresses import single
from .. import places, store

Documents = Mapping[str, Mapping[str, Any]]


class Neighbours:
    """The documents of a host's jails, but for some; read again only where they have been replaced since."""

    def __init__(self, without: Iterable[str]) -> None:
        self._without = frozenset(without)
        self._read: dict[str, tuple[tuple[int, int], Mapping[str, Any]]] = {}

    def documents(self) -> dict[str, Mapping[str, Any]]:
        """The documents by name. A damaged one is left out: that is trouble of whoever names that jail."""
        found = {}
        for name in store.names():
            if name not in self._without:
                with store.passing_over(name), contextlib.suppress(FileNotFoundError):
                    found[name] = self._document(name)
        return found

    def _document(self, name: str) -> Mapping[str, Any]:
        status = os.stat(places.document(name))
        version = (status.st_ino, status.st_mtime_ns)
        if self._read.get(name, (None,))[0] != version:
            self._read[name] = (version, store.read_document(name) or {})
        return self._read[name][1]


def addresses(documents: Documents) -> dict[str, str]:
    """Which jail each address belongs to, as far as documents say."""
    return {
        single(address): name
        for name, document in documents.items()
        if document.get("ip", {}).get("mode") != "none"
        for address in document.get("ip", {}).get("addresses", ())
    }
