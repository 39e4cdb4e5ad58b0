# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .actions import Action
from .decisions import Decisions
from .defaults import effective
from .live import Live
from .options_firewall import filters
from .plan_network import replaces_namespace
from .shapes import LIVE

# What the rules of a jail are made of, besides its number.
_INGREDIENTS = ("mode", "addresses", "forwards", "masquerade", "firewall")


def has_rules(full: Mapping[str, Any], *, beside_others: bool) -> bool:
    """Whether an effective document needs anything of the host's packet filter.

    An address of a shared jail is one of the host's too; ``beside_others`` it has to be told from those, so that no
    forward of another jail takes its connections.
    """
    ip = full["ip"]
    asks = ip["forwards"] or ip["masquerade"] or filters(ip)
    return bool(asks or (beside_others and ip["mode"] == "shared"))


def firewall_actions(decisions: Decisions) -> Iterator[Action]:
    """Make, repair, change or remove what a jail has in the host's packet filter.

    It comes before the network, so that no packet passes an address that is not guarded yet; what it is about need not
    be there.
    """
    if not (decisions.concerns("ip") or decisions.starts):
        return
    # Until the restart the jail keeps its network, and what guards it.
    waits = decisions.occupied and replaces_namespace(decisions)
    changes = [] if waits else [*_changes(decisions)]
    drift = ", ".join([*changes, *(decisions.live.firewall or ())])
    if drift:
        document = decisions.in_force if waits else decisions.full
        yield Action("firewall.change", decisions.wanted.jail, LIVE, "ip", drift, {"document": document})


def firewall_removal(jail: str, stored: Mapping[str, Any] | None, live: Live) -> Iterator[Action]:
    """Remove what a jail has in the host's packet filter."""
    beside_others = live.firewall is not None
    if live.firewall or (stored and has_rules(effective(stored), beside_others=beside_others)):
        yield Action("firewall.remove", jail, LIVE, path="ip")


def _changes(decisions: Decisions) -> Iterator[str]:
    """What is asked for anew."""
    beside_others = decisions.live.firewall is not None
    before = decisions.before
    had = before is not None and has_rules(before, beside_others=beside_others)
    has = has_rules(decisions.full, beside_others=beside_others)
    if had != has:
        yield "its rules" if has else "no rules any more"
    elif has and before is not None:
        yield from (f"other {name}" for name in _INGREDIENTS if before["ip"][name] != decisions.full["ip"][name])
