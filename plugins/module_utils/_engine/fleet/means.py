# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .neighbours import Neighbours
from .order import Order


@dataclass(frozen=True)
class Means:
    """With what plans are carried out; ``taken`` is that of HostFacts."""

    order: Order
    neighbours: Neighbours
    taken: Mapping[str, str]
    apply_mode: str
    parallel: int
