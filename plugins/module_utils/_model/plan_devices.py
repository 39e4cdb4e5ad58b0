# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator

from .actions import Action
from .comparison import Difference
from .decisions import Decisions
from .shapes import LIVE


def device_actions(decisions: Decisions) -> Iterator[Action]:
    """Devices of a jail that goes on running; a start sees to them itself."""
    live = decisions.live
    if not decisions.concerns("caps") or not live.alive or decisions.stops:
        return
    before, after = (full["caps"]["devices"] for full in (decisions.in_force, decisions.full))
    if before != after:
        summary = Difference("caps.devices", before, after, LIVE).line()
    elif live.devices is False:
        summary = "the jail is not held to them"
    else:
        return
    yield Action("devices.change", decisions.wanted.jail, LIVE, "caps.devices", summary, {"document": decisions.full})
