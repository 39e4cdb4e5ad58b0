# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._model.names import jail_name
from ..._model.options import given
from ..._model.wanted import Wanted
from ..converge import converge
from .task import Result, Task


def manage_jail(task: Task) -> Result:
    """The jail itself as the task wants it."""
    return manage_part("jail", task)


def manage_addresses(task: Task) -> Result:
    """The jail's addresses and network as the task wants them."""
    return manage_part("ip", task)


def manage_part(part: str, task: Task) -> Result:
    """One part of the jail document: read, plan, apply, verify."""
    return converge(wanted_of(part, task.parameters), apply_mode=task.parameters["apply"], check=task.check)


def wanted_of(part: str, parameters: Mapping[str, Any]) -> Wanted:
    """What a task asks for, from its parameters.

    The modules of the sections name their jail with ``jail``, the module of the jail itself with ``name``.
    """
    name = jail_name(parameters["name" if part == "jail" else "jail"])
    state = parameters.get("state") if part == "jail" else None
    return Wanted(jail=name, given=given(part, parameters), state=state, part=part)
