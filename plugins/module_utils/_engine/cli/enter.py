# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Callable

from ..._model.names import jail_name
from .. import enter
from ..enter import Entry
from .usage import UsageError

_FLAGS = ("--tty", "--stopped")
_VALUES = ("--user", "--workdir", "--env", "--report")


def _exec(words: list[str]) -> int:
    flags, values, environment = _options(words)
    name, command = _name_and_command(words)
    entry = Entry(
        command=tuple(command),
        user=values.get("--user", "root"),
        workdir=values.get("--workdir", ""),
        environment=environment,
        terminal="--tty" in flags,
    )
    status = _runner(stopped="--stopped" in flags)(name, entry)
    return _report(values["--report"], status) if "--report" in values else status


def _options(words: list[str]) -> tuple[set[str], dict[str, str], dict[str, str]]:
    """Take the options off the front of a command line: flags, values, and variables for the command."""
    flags: set[str] = set()
    values: dict[str, str] = {}
    environment: dict[str, str] = {}
    while words and words[0].startswith("--") and words[0] != "--":
        option, _unused, value = words.pop(0).partition("=")
        if option in _FLAGS:
            flags.add(option)
            continue
        if option not in _VALUES:
            raise UsageError(f"{option!r} is not an option of exec")
        if not value and not words:
            raise UsageError(f"{option} needs a value")
        value = value or words.pop(0)
        if option == "--env":
            name, _unused, content = value.partition("=")
            environment[name] = content
        else:
            values[option] = value
    return flags, values, environment


def _name_and_command(words: list[str]) -> tuple[str, list[str]]:
    if not words or words[0] == "--":
        raise UsageError("exec needs the name of a jail")
    name = jail_name(words.pop(0))
    if words and words[0] == "--":
        words.pop(0)
    if not words:
        raise UsageError("exec needs a command")
    return name, words


def _runner(*, stopped: bool) -> Callable[[str, Entry], int]:
    if not stopped:
        return enter.run
    from ..standby import run

    return run


def _report(word: str, status: int) -> int:
    """Say how the command has ended in words: its status cannot be taken for ours, or for that of an ssh around us."""
    line = f"{word} {status}\n".encode(errors="surrogateescape")
    while line:
        line = line[os.write(2, line) :]
    return 0


def _enter(words: list[str]) -> int:
    if len(words) != 1:
        raise UsageError("enter needs the name of a jail, and nothing else")
    return enter.run(jail_name(words[0]), Entry(terminal=os.isatty(0) and os.isatty(1)))


COMMANDS: dict[str, Callable[[list[str]], int]] = {"exec": _exec, "enter": _enter}
