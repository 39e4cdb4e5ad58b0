# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from typing import Any

from .._model.actions import Plan
from .._model.addresses import leaves_choice
from .._model.diff import diff
from .._model.document import redacted
from .._model.planner import Wanted, plan
from .._model.profiles import has_user_namespace
from . import live, places, report, store
from .errors import EXPECTED, DamagedRecord


def converge(wanted: Wanted, *, apply_mode: str, check: bool, verify: bool = True) -> dict[str, Any]:
    """Bring a jail into the state that a task asks for, or say what it would take; the result as a module returns it.

    Planned first without a lock, since most runs change nothing, and again under it when there is something to do.
    ``verify`` waits for the first moments of a jail that is started; who starts many waits for all of them together.
    """
    if not leaves_choice(wanted.given):
        return _converge(wanted, apply_mode=apply_mode, check=check, verify=verify)
    from . import address_pools

    with address_pools.choosing(reserve=not check) as choice:
        return _converge(choice.for_wanted(wanted), apply_mode=apply_mode, check=check, verify=verify)


def _converge(wanted: Wanted, *, apply_mode: str, check: bool, verify: bool) -> dict[str, Any]:
    try:
        planned = _foresee(wanted, apply_mode)
    except EXPECTED:
        if not os.path.exists(places.lock(wanted.jail)):
            raise
        from . import second_look  # Most tasks are not refused.

        planned = second_look.take(wanted.jail, lambda: _foresee(wanted, apply_mode))
    lines = _start_dependencies(planned, check=check)
    if not check and (planned.changed or _is_left_locked(wanted)):
        planned = _apply(wanted, apply_mode, verify=verify)
    return _result(planned, lines, check=check)


def _foresee(wanted: Wanted, apply_mode: str) -> Plan:
    planned = _plan(wanted, apply_mode)
    if planned.actions:
        from . import preflight

        preflight.refuse(planned)
    return planned


def _apply(wanted: Wanted, apply_mode: str, *, verify: bool) -> Plan:
    # Here and not above: most runs of a module change nothing, and compile what they import anew each time.
    from . import apply

    with store.lock(wanted.jail) as lock:
        planned = _plan(wanted, apply_mode)
        apply.apply(planned)
        if wanted.state == "absent":
            lock.remove()
    if verify:
        apply.verify(planned)
    return planned


def _is_left_locked(wanted: Wanted) -> bool:
    """Whether a removal was killed when it had only its lock left to remove."""
    return wanted.state == "absent" and os.path.exists(places.lock(wanted.jail))


def _start_dependencies(planned: Plan, *, check: bool) -> list[str]:
    """Start what a jail depends on before it; the lines of what that took."""
    lines: list[str] = []
    if not planned.after or not planned.after.get("depends"):
        return lines
    from . import needs  # Most jails depend on none.

    for name in needs.to_start_first(planned):
        lines += converge(Wanted(jail=name, state="started"), apply_mode="live", check=check)["actions"]
    return lines


def _plan(wanted: Wanted, apply_mode: str) -> Plan:
    try:
        stored = store.read_document(wanted.jail)
        seen = live.observe(wanted.jail, stored)
    except DamagedRecord:
        from . import rescue

        if not rescue.is_possible(wanted):
            raise
        return rescue.plan(wanted)
    return plan(wanted, stored, seen, apply_mode)


def _result(planned: Plan, before: list[str], *, check: bool) -> dict[str, Any]:
    warnings = _warnings(planned)
    return {
        **({"warnings": warnings} if warnings else {}),
        "changed": planned.changed,
        "actions": [*before, *planned.lines()],
        "restart_required": planned.restart_required,
        "reasons": list(planned.reasons),
        "diff": diff(planned),
        "jail": _jail(planned, check=check),
    }


def _warnings(planned: Plan) -> list[str]:
    found = [*planned.warnings, *store.warnings(without=(planned.jail,))]
    after = planned.after if planned.changed else None
    if not after or (after.get("ip", {}).get("mode") != "shared" and has_user_namespace(after)):
        return found
    from . import host_root, shadowing

    return [*found, *host_root.warnings([planned]), *shadowing.warnings([planned])]


def _jail(planned: Plan, *, check: bool) -> dict[str, Any]:
    """The jail as it is, and its document; in check mode the document as it would be."""
    if planned.state_after == "absent":
        return {"name": planned.jail, "state": "absent"}
    if check:
        return {"name": planned.jail, "state": planned.state_after, "document": redacted(planned.after or {})}
    return report.describe(planned.jail, ("status", "document"))
