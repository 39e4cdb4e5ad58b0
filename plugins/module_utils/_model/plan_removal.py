# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .actions import Action, Plan
from .document import effective
from .live import Live
from .place import Place
from .plan_firewall import firewall_removal
from .shapes import LIVE, REBUILD, RESTART


def plan_removal(jail: str, stored: Mapping[str, Any] | None, live: Live) -> Plan:
    """Plan the end of a jail: its processes, its network, its root file system, and its document last of all, so that a
    run that is killed leaves something for the next one to find.

    Raises DocumentError for a jail that is stuck: removing what its processes still use would hide them.
    """
    if live.state == "stuck":
        raise (
            Place(jail)
            .at("state")
            .error(
                f"the jail is stuck: {live.detail or 'it has processes that cannot be killed'}",
                "say state: stopped until it succeeds, or reboot the host",
            )
        )
    return Plan(
        jail=jail,
        actions=tuple(_removals(jail, stored, live)),
        before=stored,
        state_before=live.state,
    )


def _removals(jail: str, stored: Mapping[str, Any] | None, live: Live) -> Iterator[Action]:
    if live.state == "frozen":
        yield Action("jail.thaw", jail, LIVE, summary="to hear its stop signal")
    if live.alive or live.state == "failed":
        document = effective(stored) if stored else {}
        yield Action("jail.stop", jail, RESTART, arguments={"document": document, "restart": False})
    if live.network is not None:
        yield Action("network.remove", jail, REBUILD, path="ip")
    yield from firewall_removal(jail, stored, live)
    if live.rootfs is not None:
        yield Action("rootfs.remove", jail, REBUILD, path="rootfs")
    if stored is not None or live.state != "absent":
        yield Action("document.remove", jail, REBUILD)
