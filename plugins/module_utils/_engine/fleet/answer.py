# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import details_of
from .converge import converge
from .failures import EXPECTED
from .refusal import Refusal


def answer(parameters: Mapping[str, Any], *, check: bool, with_diff: bool) -> dict[str, Any]:
    """A module's result of a task of jail_fleet, also of one that is refused or cannot be carried out."""
    try:
        result = converge(parameters, check=check, with_diff=with_diff)
    except Refusal as refusal:
        result = {"failed": True, "msg": str(refusal), "errors": refusal.rows()}
    except EXPECTED as error:
        result = {"failed": True, "msg": str(error), **details_of(error)}
    # Hundreds of documents, secrets among them, are nothing to be sent back.
    brief = {name: value for name, value in parameters.items() if name not in ("jails", "defaults")}
    return {**result, "invocation": {"module_args": brief}}
