# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Stopping and removing a jail of which records are damaged.

Both need no more than what the kernel shows and what is the engine's own by its place: /run/jails/NAME, a root below
/var/lib/jails/roots, links and addresses with the jail's mark. Nothing else is touched, whatever a document might have
said. What a jail was started with stands in for its document, as far as that is on record.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._model.actions import Action, Plan
from .._model.document import effective
from .._model.live import Live, NetworkLive
from .._model.plan_removal import plan_removal
from .._model.planner import Wanted
from .._model.shapes import LIVE, RESTART
from . import firewall_state, live, network, places, status, store
from .errors import DamagedRecord, EngineError
from .host_facts import NOTHING_KNOWN, HostFacts
from .rootfs import directories


def is_possible(wanted: Wanted) -> bool:
    """Whether a task asks for no more than a stop or a removal."""
    return wanted.state == "absent" or (wanted.state == "stopped" and not wanted.given)


def plan(wanted: Wanted, facts: HostFacts = NOTHING_KNOWN) -> Plan:
    """What such a task comes to, with warnings of what is not known.

    EngineError for a removal that would not come to its end.
    """
    jail = wanted.jail
    damage, stored = _read(jail, facts)
    started = store.read_started(jail)
    known = started or (effective(stored) if stored else None)
    run_state = status.run_state(jail)
    if wanted.state == "absent":
        _refuse_unremovable(jail, facts)
        planned = plan_removal(jail, known or {"name": jail}, _whatever_is_there(jail, run_state, known, facts))
    else:
        actions = _stops(jail, run_state, known or effective({"name": jail}))
        planned = Plan(jail, actions, state_before=run_state, state_after="stopped")
    after = stored if planned.state_after == "stopped" else None
    return replace(planned, before=stored, after=after, warnings=tuple(_warnings(damage, known, planned)))


def _read(jail: str, facts: HostFacts) -> tuple[DamagedRecord | None, dict[str, Any] | None]:
    """What is damaged, and the document if it is not that."""
    stored = None
    try:
        stored = store.read_document(jail)
        live.observe(jail, stored, facts)
    except DamagedRecord as error:
        store.pass_over(jail, error)
        return error, stored
    return None, stored


def _stops(jail: str, run_state: str, document: Mapping[str, Any]) -> tuple[Action, ...]:
    if run_state == "stopped":
        return ()
    thaw = [Action("jail.thaw", jail, LIVE, "", "to hear its stop signal")] if run_state == "frozen" else []
    return (*thaw, Action("jail.stop", jail, RESTART, arguments={"document": document, "restart": False}))


def _refuse_unremovable(jail: str, facts: HostFacts) -> None:
    path = places.document(jail)
    if os.path.isdir(path) and not os.path.islink(path) and os.listdir(path):
        raise EngineError(
            jail, f"{path} is a directory with something in it", remedy="it is none of ours: move it away"
        )
    facts.find(jail)


def _whatever_is_there(jail: str, run_state: str, known: Mapping[str, Any] | None, facts: HostFacts) -> Live:
    """What a removal has to look for: more than there is, where nobody knows."""
    seen = network.observe(jail, known, links=facts.links)
    table = firewall_state.observe(jail, None, facts)
    return Live(
        state=run_state,
        network=seen or (None if known else NetworkLive(mode="unknown")),
        rootfs={} if os.path.lexists(directories.root(jail)) else None,
        firewall=table and ("leftovers",),
    )


def _warnings(damage: DamagedRecord | None, known: Mapping[str, Any] | None, planned: Plan) -> list[str]:
    found = [str(damage)] if damage else []
    if known is None and any(action.kind == "jail.stop" for action in planned.actions):
        found.append(
            f"jail {planned.jail}: its stop signal and its hooks are not known: it gets SIGTERM and 10 seconds"
        )
    return found
