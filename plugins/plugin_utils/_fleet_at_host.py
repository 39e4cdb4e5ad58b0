# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""A task of jail_fleet for the engine that its host has already, where that is the one of this very collection.

The module carries all of the engine: a second to pack, a megabyte to send, and to be compiled anew on the host. What a
host has installed is compiled, and needs nothing but the task.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

# What a result may hold: a host decides on nothing else of the run.
_KEYS = frozenset("changed failed msg jails summary errors diff warnings invocation jail path remedy".split())


def own_engine() -> str:
    """The digest of the engine of this collection."""
    from ..module_utils._engine.install import engine_version

    return engine_version()


def command_line(engine: str) -> str:
    """What has a host's jailctl carry out the task that it reads, if it is of that engine."""
    from ..module_utils._engine.install import COMMAND

    return shlex.join([COMMAND, "fleet-task", "--engine", engine])


def task_input(parameters: Mapping[str, Any], *, check: bool, with_diff: bool, log: bool) -> str:
    """What jailctl reads; ``log`` says whether the host's log may tell of the task."""
    return json.dumps({"parameters": parameters, "check": check, "diff": with_diff, "log": log})


def read_result(engine: str, ended: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of the task from how the command has ended (``rc``, ``stdout``, ``stderr``).

    None where it was not begun: the host has no engine, or another one.
    """
    # A terminal, which sudo may be given, ends lines otherwise.
    said = ended["stdout"].replace("\r\n", "\n")
    _before, begun, answer = said.partition(f"engine {engine}\n")
    if not begun:
        return None
    try:
        found, _end = json.JSONDecoder().raw_decode(answer)
        return {name: value for name, value in found.items() if name in _KEYS}
    except (ValueError, AttributeError):
        return {
            "failed": True,
            "msg": f"jailctl ended with status {ended['rc']} before it had said what became of the jails",
            "module_stdout": ended["stdout"],
            "module_stderr": ended["stderr"],
            "rc": ended["rc"],
        }
