# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from ..._model.document import effective
from .parts import manage_part
from .task import Result, Task


def manage(task: Task) -> Result:
    """The jail's privileges as the task wants them, and the truth about them."""
    jail = task.parameters["jail"]
    result = manage_part("caps", task)
    # Here and not above: of a task that is refused there is nothing to report.
    from ..truth import report_on

    report = report_on(effective(result["jail"]["document"]))
    result["report"] = [finding._asdict() for finding in report]
    _warn(
        result,
        [f"jail {jail}: {finding.item}: {finding.why}" for finding in report if finding.verdict == "unavailable"],
    )
    return _verified(jail, result) if task.parameters["verify"] and not task.check else result


def _warn(result: Result, warnings: list[str]) -> None:
    if warnings:
        result["warnings"] = [*result.get("warnings", []), *warnings]


def _verified(jail: str, result: Result) -> Result:
    """The result with the proof; a failure where there is none."""
    from ..verify.results import as_objects, breaches
    from ..verify.verification import LOST, TOO_TIGHT, verify

    findings = verify(jail)
    result["verify"] = as_objects(findings)
    _warn(
        result,
        [
            f"jail {jail}: attack {finding.attack} is expected to be {finding.expected} ({finding.policy}), and is"
            f" {finding.verdict}: {finding.why}"
            for finding in findings
            if finding.verdict in (TOO_TIGHT, LOST)
        ],
    )
    if broken := [finding.attack for finding in breaches(findings)]:
        remedy = "it waits for a restart" if result["restart_required"] else "its document forbids that"
        message = f"jail {jail}: attacks from inside succeed: {', '.join(broken)}; {remedy}"
        return {**result, "failed": True, "msg": message}
    return result
