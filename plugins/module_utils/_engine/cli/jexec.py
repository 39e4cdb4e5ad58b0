# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Callable

from .. import allocations, enter, store
from ..enter import Entry
from ..errors import EngineError
from .streams import say
from .usage import UsageError

TEXT = """usage: jexec [-l] [-d DIRECTORY] [-u USER | -U USER] JAIL [COMMAND...]

Runs a command in a jail, a shell if there is none, as jexec(8) of FreeBSD does. JAIL is a jail's number or name.
  -d  in this directory of the jail     -u, -U  as this user of the jail (no user of the host is one in a jail)
  -l  with a clean environment, as always here"""


def jexec(words: list[str]) -> int:
    """The command jexec(8); the exit status of what it runs, 1 where there is nothing to run."""
    if words == ["--help"]:
        say(TEXT)
        return 0
    values, rest = _parse(words)
    if not rest:
        raise UsageError("jexec needs a jail")
    user = values.get("u") or values.get("U") or "root"
    command = tuple(rest[1:])
    entry = Entry(command=command, user=user, workdir=values.get("d", ""), terminal=os.isatty(0) and os.isatty(1))
    return enter.run(find_jail(rest[0]), entry)


def _parse(words: list[str]) -> tuple[dict[str, str], list[str]]:
    values: dict[str, str] = {}
    waiting = list(words)
    while waiting and waiting[0].startswith("-"):
        word = waiting.pop(0)
        if word == "--":
            break
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter == "l":
                continue
            if letter not in "duU":
                raise UsageError(f"{word!r} is not an option of jexec")
            if not letters and not waiting:
                raise UsageError(f"-{letter} needs a value")
            values[letter] = letters or waiting.pop(0)
            letters = ""
    if "u" in values and "U" in values:
        raise UsageError("-u and -U exclude each other")
    return values, waiting


def find_jail(text: str) -> str:
    """The name of a jail by its name or its number on this host; EngineError where there is none."""
    names = store.names()
    if text in names:
        return text
    if text.isdecimal():
        for name, allocation in allocations.find_all().items():
            if allocation.number == int(text) and name in names:
                return name
    raise EngineError("", f'jail "{text}" not found')


COMMANDS: dict[str, Callable[[list[str]], int]] = {"jexec": jexec}
