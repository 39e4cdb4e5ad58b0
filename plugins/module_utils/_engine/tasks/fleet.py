# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from ..errors import EXPECTED, details_of
from ..fleet.refusal import Refusal
from .task import Result, Task


def manage(task: Task) -> Result:
    """The jails of a fleet as the task wants them; of a task that is refused or cannot be carried out, why."""
    # Here and not above: the half of the engine, which is compiled before the task's arguments are looked at.
    from ..fleet.converge import converge

    try:
        result = converge(task.parameters, check=task.check, with_diff=task.with_diff)
    except Refusal as refusal:
        result = {"failed": True, "msg": str(refusal), "errors": refusal.rows()}
    except EXPECTED as error:
        result = {"failed": True, "msg": str(error), **details_of(error)}
    # Hundreds of documents, secrets among them, are nothing to be sent back.
    brief = {name: value for name, value in task.parameters.items() if name not in ("jails", "defaults")}
    return {**result, "invocation": {"module_args": brief}}
