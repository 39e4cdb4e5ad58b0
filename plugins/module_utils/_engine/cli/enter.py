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


def _exec(words: list[str]) -> int:
    options: dict[str, str] = {}
    environment: dict[str, str] = {}
    terminal = False
    while words and words[0].startswith("--") and words[0] != "--":
        option, _unused, value = words.pop(0).partition("=")
        if option == "--tty":
            terminal = True
            continue
        if option not in ("--user", "--workdir", "--env"):
            raise UsageError(f"{option!r} is not an option of exec")
        if not value and not words:
            raise UsageError(f"{option} needs a value")
        value = value or words.pop(0)
        if option == "--env":
            name, _unused, content = value.partition("=")
            environment[name] = content
        else:
            options[option[2:]] = value
    name, command = _name_and_command(words)
    return enter.run(name, Entry(command=tuple(command), environment=environment, terminal=terminal, **options))


def _name_and_command(words: list[str]) -> tuple[str, list[str]]:
    if not words or words[0] == "--":
        raise UsageError("exec needs the name of a jail")
    name = jail_name(words.pop(0))
    if words and words[0] == "--":
        words.pop(0)
    if not words:
        raise UsageError("exec needs a command")
    return name, words


def _enter(words: list[str]) -> int:
    if len(words) != 1:
        raise UsageError("enter needs the name of a jail, and nothing else")
    return enter.run(jail_name(words[0]), Entry(terminal=os.isatty(0) and os.isatty(1)))


COMMANDS: dict[str, Callable[[list[str]], int]] = {"exec": _exec, "enter": _enter}
