# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ..install import engine_version
from .selection import split_flags
from .streams import flush, say
from .usage import UsageError


def _fleet_task(words: list[str]) -> int:
    """A task of jail_fleet whose action plugin has found this engine to be its own: what the module would do.

    The first line of the output says that the task is begun; whoever does not find it can give it to the module.
    """
    values = split_flags(words, values=("--engine",))[1]
    if values.get("--engine") != engine_version():
        raise UsageError(f"this is engine {engine_version()}")
    task = json.load(sys.stdin)
    from ..fleet.answer import answer

    say(f"engine {engine_version()}")
    flush()
    if task["log"]:
        _log(task["parameters"])
    say(json.dumps(answer(task["parameters"], check=task["check"], with_diff=task["diff"])))
    return 0


def _log(parameters: Mapping[str, Any]) -> None:
    """What Ansible logs of a module, without the documents."""
    import syslog

    said = " ".join(f"{name}={value}" for name, value in parameters.items() if name not in ("jails", "defaults"))
    syslog.openlog("ansible-hosting.jails.jail_fleet", 0, syslog.LOG_USER)
    syslog.syslog(syslog.LOG_INFO, f"Invoked with {len(parameters['jails'])} entries, {said}")


COMMANDS: dict[str, Callable[[list[str]], int]] = {"fleet-task": _fleet_task}
