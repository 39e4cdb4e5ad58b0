# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""A task for the engine that its host has already, where that is the one of this very collection.

A module carries all of the engine: a second to pack, a megabyte to send, and to be compiled anew on the host. What a
host has installed is compiled, and needs nothing but the task.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import heuristic_log_sanitize
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._model.arguments import arguments_of

# What core would act upon: a host decides on nothing of a run but the result of its task.
_DECIDING = re.compile(r"_?ansible_.*|add_host|add_group|exception")


def own_engine() -> str:
    """The digest of the engine of this collection."""
    from ..module_utils._engine.install import engine_version

    return engine_version()


def command_line(engine: str) -> str:
    """What has a host's jailctl carry out the task that it reads, if it is of that engine."""
    from ..module_utils._engine.install import COMMAND

    return shlex.join([COMMAND, "task", "--engine", engine])


def accepted(module: str, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """The parameters that a module would make of the arguments of a task.

    None where it would refuse them or have something to say about them, which is left to the module, and for values
    that JSON does not have: core has rules of its own for how a module gets those.
    """
    try:
        literal = _literal(arguments)
    except TypeError:
        return None
    takes = arguments_of(module)
    found = ArgumentSpecValidator(takes.options, **takes.rules).validate(literal)
    # Core has no public name for the last three.
    if found.error_messages or found._no_log_values or found._deprecations or found._warnings:
        return None
    parameters: dict[str, Any] = found.validated_parameters
    return parameters


def _literal(value: Any) -> Any:
    """A value as JSON has it, without core's tags and proxies; TypeError for any other."""
    if isinstance(value, Mapping):
        return {_key(key): _literal(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_literal(inner) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(type(value))


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(type(key))
    return str(key)


def log_text(parameters: Mapping[str, Any]) -> str:
    """What a module of these parameters has its host log."""
    said = [f"{name}={heuristic_log_sanitize(str(value))}" for name, value in parameters.items()]
    return f"Invoked with {' '.join(said)}"


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
        return {name: value for name, value in found.items() if not _DECIDING.fullmatch(name)}
    except (ValueError, AttributeError):
        return {
            "failed": True,
            "msg": f"jailctl ended with status {ended['rc']} before it had said what became of the task",
            "module_stdout": ended["stdout"],
            "module_stderr": ended["stderr"],
            "rc": ended["rc"],
        }


def task_input(module: str, parameters: Mapping[str, Any], *, check: bool, with_diff: bool, log: Any) -> str:
    """What jailctl reads; ``log`` is the entry for the host's log (``program``, ``facility``, ``text``) or None."""
    return json.dumps({"module": module, "parameters": parameters, "check": check, "diff": with_diff, "log": log})
