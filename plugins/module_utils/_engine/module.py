# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._model.arguments import arguments_of
from .errors import EXPECTED, details_of
from .tasks.task import Result, Task


def run(module: AnsibleModule, function: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    """Run a module's function and end the module: the one place where an exception of ours becomes a failure."""
    if os.geteuid() != 0:
        module.fail_json(msg="jails are the business of the host's root: run the task with become: true")
    try:
        result = function(module)
    except EXPECTED as error:
        module.fail_json(msg=str(error), **details_of(error))
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


def run_module(name: str, function: Callable[[Task], Result]) -> None:
    """The whole of a module whose function is one that jailctl knows as well."""
    arguments = arguments_of(name)
    module = AnsibleModule(argument_spec=arguments.options, supports_check_mode=True, **arguments.rules)
    task = Task(module.params, check=module.check_mode, with_diff=module._diff)
    run(module, lambda _module: function(task))
