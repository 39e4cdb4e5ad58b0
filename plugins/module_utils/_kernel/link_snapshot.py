# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from .rtnetlink import Address, Link, Reader, Route


class Snapshot(Reader):
    """A Reader that has asked for all links, addresses and routes of the main table once, for who looks at many links.

    Filters, ids of namespaces and ways to a destination are not among them: these it asks for as any Reader.
    """

    def __init__(self) -> None:
        super().__init__()
        self._links = {link.ifindex: link for link in super().links()}
        self._indexes = {link.name: link.ifindex for link in self._links.values()}
        self._addresses: dict[int, list[Address]] = {}
        for address in super().addresses(0):
            self._addresses.setdefault(address.link, []).append(address)
        self._routes: dict[int, list[Route]] = {}
        for route in super().routes(0):
            self._routes.setdefault(route.link, []).append(route)

    def link(self, *, name: str = "", index: int = 0) -> Link | None:
        """One link by its name or index, None where there is none."""
        return self._links.get(self._indexes.get(name, 0) if name else index)

    def links(self) -> list[Link]:
        """All links of the namespace."""
        return list(self._links.values())

    def addresses(self, link: int) -> list[Address]:
        """Addresses of one link, both families."""
        return self._addresses.get(link, [])

    def routes(self, link: int) -> list[Route]:
        """Routes of the main table through one link, both families."""
        return self._routes.get(link, [])
