# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .._model.allocation import Allocation
from . import allocations

if TYPE_CHECKING:
    from .._kernel.rtnetlink import Reader
    from .firewall_state import Table


class HostFacts(NamedTuple):
    """What is looked up once where many jails are looked at or changed; what is None, each jail looks up for itself.

    ``links`` answers for the host's links. ``allocations`` has those of all jails concerned that have one. ``taken``
    maps addresses to the jails that are to have them, whichever has them still. ``table`` is ours in the packet filter.
    """

    links: Reader | None = None
    allocations: Mapping[str, Allocation] | None = None
    taken: Mapping[str, str] | None = None
    table: Table | None = None

    def find(self, jail: str) -> Allocation | None:
        """What a jail has that no other jail of this host has; None before it is defined."""
        return allocations.find(jail) if self.allocations is None else self.allocations.get(jail)

    def claim(self, jail: str, document: Mapping[str, Any] | None = None) -> Allocation:
        """The same, made now if it is not there, with the ids that a document asks for."""
        known = self.allocations.get(jail) if self.allocations else None
        return known or allocations.claim(jail, document)


NOTHING_KNOWN = HostFacts()
