# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping

from ..errors import EXPECTED, details_of
from ..install import engine_version
from ..tasks.task import Result, Task
from .selection import split_flags
from .streams import flush, say
from .usage import UsageError


def _task(words: list[str]) -> int:
    """A task of Ansible whose action plugin has found this engine to be its own: what its module would do.

    The first line of the output says that the task is begun; whoever does not find it can give it to the module.
    """
    values = split_flags(words, values=("--engine",))[1]
    if values.get("--engine") != engine_version():
        raise UsageError(f"this is engine {engine_version()}")
    sent = json.load(sys.stdin)
    function = _function_of(sent["module"])
    say(f"engine {engine_version()}")
    flush()
    if sent["log"]:
        _log(sent["log"])
    say(json.dumps(_result(function, Task(sent["parameters"], check=sent["check"], with_diff=sent["diff"]))))
    return 0


def _function_of(module: str) -> Callable[[Task], Result]:
    """What a module does that is sent, too. Its result may hold warnings and be a failure."""
    if module == "jail":
        from ..tasks.parts import manage_jail as function
    elif module == "jail_ip":
        from ..tasks.parts import manage_addresses as function
    elif module == "jail_caps":
        from ..tasks.caps import manage as function
    elif module == "jail_rootfs":
        from ..tasks.rootfs import manage as function
    elif module == "jail_info":
        from ..tasks.info import look as function
    else:
        from ..tasks.fleet import manage as function
    return function


def _result(function: Callable[[Task], Result], task: Task) -> Result:
    """What Ansible gets to see of a module that was sent."""
    try:
        result = function(task)
    except EXPECTED as error:
        result = {"failed": True, "msg": str(error), **details_of(error)}
    return {"invocation": {"module_args": task.parameters}, **result}


def _log(entry: Mapping[str, str]) -> None:
    """What Ansible has modules log."""
    import syslog

    syslog.openlog(entry["program"], 0, getattr(syslog, entry["facility"], syslog.LOG_USER))
    syslog.syslog(syslog.LOG_INFO, entry["text"])


COMMANDS: dict[str, Callable[[list[str]], int]] = {"task": _task}
