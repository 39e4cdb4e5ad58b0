# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .actions import Action, Plan
from .comparison import Difference, differences, drifted_limits
from .decisions import Decisions
from .document import check, merge, normalise
from .live import Live
from .place import Place
from .plan_firewall import firewall_actions
from .plan_network import network_actions
from .plan_rootfs import refuse_start_without_root, rootfs_actions
from .shapes import LIVE, RESTART
from .wanted import APPLY, WANTED_STATES, Wanted, refuse_unknown_word

__all__ = ["APPLY", "WANTED_STATES", "Wanted", "plan"]


def plan(wanted: Wanted, stored: Mapping[str, Any] | None, live: Live, apply: str = "live") -> Plan:
    """Plan what leads from the stored document and the live state to what a task asks for. Changes nothing.

    The document comes first, so that a run that is killed is finished by the next one; what only a stopped jail can
    have done to it comes between its stop and its start; limits and the freezer come last, as they need a running jail.
    A running jail is stopped only if the task says so: by its state, or by ``apply`` restart.

    Raises DocumentError for what cannot be.
    """
    refuse_unknown_word(apply, APPLY, Place(wanted.jail, "apply"))
    if wanted.state == "absent":
        from .plan_removal import plan_removal  # Most runs remove nothing.

        return plan_removal(wanted.jail, stored, live)
    document = _document(wanted, stored)
    decisions = Decisions(wanted=wanted, stored=stored, document=document, live=live, may_restart=apply == "restart")
    _refuse_if_stuck(decisions)
    refuse_start_without_root(decisions)
    return Plan(
        jail=wanted.jail,
        actions=(
            *_document_actions(decisions),
            *_stop_actions(decisions),
            *rootfs_actions(decisions),
            *firewall_actions(decisions),
            *network_actions(decisions),
            *_start_actions(decisions),
            *_limit_actions(decisions),
            *_device_actions(decisions),
            *_freeze_actions(decisions),
            *_deferred(decisions),
        ),
        restart_required=decisions.waits,
        reasons=tuple(decisions.reasons),
        before=stored,
        after=document,
        state_before=live.state,
        state_after=decisions.state_after(),
    )


def _document(wanted: Wanted, stored: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if wanted.whole:
        return wanted.given
    document = normalise(merge(stored, wanted.given), jail=wanted.jail)
    for error in check(document):
        raise error
    return document


def _refuse_if_stuck(decisions: Decisions) -> None:
    if decisions.live.state == "stuck" and (decisions.starts or decisions.resets or decisions.returns):
        raise decisions.place.at("state").error(
            f"the jail is stuck: {decisions.live.detail or 'it has processes that cannot be killed'}",
            "say state: stopped until that succeeds, or reboot the host",
        )


def _document_actions(decisions: Decisions) -> Iterator[Action]:
    stored, document = decisions.stored, decisions.document
    if document == stored:
        return
    changes = ", ".join(change.line() for change in differences(stored, document)) if stored else "a new jail"
    yield Action("document.write", decisions.wanted.jail, LIVE, "", changes, {"document": document})


def _stop_actions(decisions: Decisions) -> Iterator[Action]:
    jail = decisions.wanted.jail
    if decisions.thaws:
        yield Action("jail.thaw", jail, LIVE, "", "to hear its stop signal" if decisions.stops else "")
    if decisions.stops:
        asked = decisions.wanted.state in ("stopped", "restarted")
        arguments = {"document": decisions.full, "restart": decisions.starts}
        yield Action("jail.stop", jail, RESTART, "", "" if asked else ", ".join(decisions.reasons), arguments)


def _start_actions(decisions: Decisions) -> Iterator[Action]:
    if decisions.starts:
        effect = RESTART if decisions.stops else LIVE
        yield Action("jail.start", decisions.wanted.jail, effect, arguments={"document": decisions.full})


def _limit_actions(decisions: Decisions) -> Iterator[Action]:
    """Limits of a jail that goes on running; a start sets them itself."""
    live = decisions.live
    if not decisions.concerns("jail") or not live.alive or decisions.stops or live.limits is None:
        return
    limits = {name: value for name, value in decisions.full["limits"].items() if value != []}
    drifted = [name for name in drifted_limits(limits, live.limits) if name not in live.unenforced]
    if drifted:
        changes = [_limit_line(name, live.limits.get(name), limits.get(name)) for name in drifted]
        yield Action("limits.set", decisions.wanted.jail, LIVE, "limits", ", ".join(changes), {"limits": limits})


def _device_actions(decisions: Decisions) -> Iterator[Action]:
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


def _freeze_actions(decisions: Decisions) -> Iterator[Action]:
    if decisions.freezes:
        yield Action("jail.freeze", decisions.wanted.jail, LIVE)


def _deferred(decisions: Decisions) -> Iterator[Action]:
    if decisions.waits:
        for reason in decisions.reasons:
            path, _unused, _unused = reason.partition(":")
            yield Action("option.defer", decisions.wanted.jail, RESTART, path, reason)


def _limit_line(name: str, observed: Any, wanted: Any) -> str:
    return Difference(f"limits.{name}", observed, wanted, LIVE).line()
