# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from .. import report, store
from ..errors import EngineError
from .task import Result, Task


def look(task: Task) -> Result:
    """What there is to know of the jails that the task names, or of all."""
    known = store.names()
    asked, gather = task.parameters["names"], task.parameters["gather"]
    wanted = asked if asked is not None else known
    for number, name in enumerate(wanted):
        if name not in known:
            raise EngineError(name, "there is no such jail on this host", path=f"names[{number}]")
    labels = {name: str(value) for name, value in task.parameters["labels"].items()}
    found: Result = {"changed": False, "jails": report.describe_all(sorted(set(wanted)), gather, labels)}
    if "templates" in gather:
        from ..report_parts import describe_templates

        found["templates"] = describe_templates()
    warnings = store.warnings()
    return {**found, "warnings": warnings} if warnings else found
