# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._model.errors import DocumentError
from ..._model.names import jail_name
from ..._model.options import given
from ..._model.wanted import Wanted
from ..converge import converge
from .task import Result, Task


def manage(task: Task) -> Result:
    """The file system of a jail or a template as the task wants it."""
    return _of_jail(task) if task.parameters["jail"] is not None else _of_template(task)


def _of_template(task: Task) -> Result:
    from ..rootfs import template_task

    parameters = task.parameters
    if parameters["state"] in ("reset", "previous"):
        raise DocumentError(
            "",
            "state",
            "a template is never changed, so there is nothing to reset or to bring back",
            "use state: latest for a new generation, and generation for an earlier one",
        )
    return template_task.converge(
        parameters["template"],
        state=parameters["state"],
        source=parameters["source"],
        generation=parameters["generation"],
        keep_newer=parameters["keep_newer"],
        check=task.check,
    )


def _of_jail(task: Task) -> Result:
    parameters = task.parameters
    name, state = jail_name(parameters["jail"], path="jail"), parameters["state"]
    wanted = Wanted(
        jail=name,
        given=_given(name, state, parameters),
        part="rootfs",
        reset=state == "reset" or (state == "latest" and _is_on_old_generation(name)),
        previous=state == "previous",
        keep_previous=parameters["keep_previous"],
    )
    return converge(wanted, apply_mode=parameters["apply"], check=task.check)


def _given(name: str, state: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    from ..rootfs import previous

    if state == "absent":
        return {"rootfs": {}}
    kept = previous.read(name) if state == "previous" else None
    return {"rootfs": {"source": kept.source}} if kept else given("rootfs", parameters)


def _is_on_old_generation(jail: str) -> bool:
    """Whether the jail's template has a newer generation than the one that the jail stands on."""
    from ..rootfs import roots

    manifest = roots.read(jail)
    return manifest is not None and roots.is_stale(manifest)
