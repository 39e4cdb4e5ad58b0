# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .actions import Plan
from .document import HIDDEN, is_secret, redacted


def diff(plan: Plan) -> dict[str, Any]:
    """A module's ``diff``: document and state before and after, and what is to be done on the host.

    Drift changes no document; it shows in ``actions``, which are empty before. A secret that changes is shown to do so,
    not what it is.
    """
    before, after = _shown(plan.before, plan.state_before), _shown(plan.after, plan.state_after)
    _mark_changed_secrets(plan, after)
    return {
        "before_header": f"{plan.jail} before",
        "after_header": f"{plan.jail} after",
        "before": before,
        "after": {**after, "actions": plan.lines()} if plan.actions else after,
    }


def _shown(document: Mapping[str, Any] | None, state: str) -> dict[str, Any]:
    return {**redacted(document or {}), "state": state}


def _mark_changed_secrets(plan: Plan, after: dict[str, Any]) -> None:
    old = (plan.before or {}).get("environment", {})
    new = (plan.after or {}).get("environment", {})
    for name, value in new.items():
        if is_secret(name) and name in old and old[name] != value:
            after["environment"][name] = f"{HIDDEN} (changed)"
