# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._kernel.errors import KernelError
from .._model.errors import DocumentError
from .._model.names import jail_name
from .._model.options import argument_spec, given
from .._model.planner import Wanted
from .converge import converge
from .errors import EngineError, details_of

APPLY_SPEC = {"apply": {"type": "str", "choices": ["live", "restart"], "default": "live"}}


def run(module: AnsibleModule, function: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    """Run a module's function and end the module: the one place where an exception of ours becomes a failure."""
    if os.geteuid() != 0:
        module.fail_json(msg="jails are the business of the host's root: run the task with become: true")
    try:
        result = function(module)
    except (DocumentError, EngineError, KernelError, OSError) as error:
        module.fail_json(msg=str(error), **details_of(error))
    module.exit_json(**result)


def run_part_module(part: str, *, states: tuple[str, ...] = (), default_state: str | None = None) -> None:
    """The whole of a module that owns one part of the jail document: read, plan, apply, verify.

    ``states`` are the choices of its ``state`` option, if it has one. The modules of the sections name their jail with
    ``jail``, the module of the jail itself with ``name``.
    """
    spec: dict[str, Any] = {**argument_spec(part), **APPLY_SPEC}
    if part != "jail":
        spec["jail"] = {"type": "str", "required": True}
    if states:
        spec["state"] = {"type": "str", "choices": list(states), "default": default_state}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)

    def function(module: AnsibleModule) -> dict[str, Any]:
        wanted = wanted_of(part, module.params)
        return converge(wanted, apply_mode=module.params["apply"], check=module.check_mode)

    run(module, function)


def wanted_of(part: str, parameters: dict[str, Any], *, reset: bool = False) -> Wanted:
    """What a task asks for, from its parameters."""
    name = jail_name(parameters["name" if part == "jail" else "jail"])
    state = parameters.get("state") if part == "jail" else None
    return Wanted(jail=name, given=given(part, parameters), state=state, part=part, reset=reset)


def run_fleet_module() -> None:
    """The whole of the module that is about all jails of a host."""
    from .._model.fleet_options import FLEET_NEEDS, FLEET_SPEC
    from .fleet.answer import answer

    module = AnsibleModule(argument_spec=FLEET_SPEC, required_if=FLEET_NEEDS, supports_check_mode=True)

    def function(module: AnsibleModule) -> dict[str, Any]:
        result = answer(module.params, check=module.check_mode, with_diff=module._diff)
        if result["failed"]:
            module.fail_json(**result)
        return result

    run(module, function)
