# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Callable

from ..._kernel import capabilities
from ..._kernel.errors import KernelError
from .streams import flush, say
from .usage import UsageError

TEXT = """usage: reducecap [--secure] [--cap [!]NAME...] [--show [--pid PID]] [COMMAND...]

Runs a command of the host below a ceiling of capabilities(7) that no program with set-user-id bits gives it back.
  --secure     leave it those of the profile secure of jails, no_new_privs, and the jails' filter of system calls
  --cap NAME   leave it this one besides          --cap !NAME, --NAME  take this one
  --show       print what it may do before it runs; without a command only that
  --pid PID    that of another process, as it is"""


def reducecap(words: list[str]) -> int:
    """The command reducecap; the exit status of what it runs."""
    waiting, secure, shown, pid = list(words), False, False, ""
    left: set[int] = set()
    taken: set[int] = set()
    while waiting and waiting[0].startswith("-"):
        word = waiting.pop(0)
        if word == "--":
            break
        if word == "--help":
            say(TEXT)
            return 0
        if word in ("--secure", "--show"):
            secure, shown = secure or word == "--secure", shown or word == "--show"
        elif word.partition("=")[0] == "--pid":
            pid = value_of(word, waiting)
        elif word.partition("=")[0] == "--cap":
            add_capability(value_of(word, waiting), left, taken)
        else:
            taken.add(_named_by_option(word))
    if pid:
        return _show_another(pid, alone=shown and not (waiting or secure or left or taken))
    if not waiting and not shown:
        raise UsageError("reducecap needs a command, or --show")
    refuse_needless(left, secure=secure)
    from .. import reduced

    reduced.lower(reduced.Reduction(secure, frozenset(left), frozenset(taken)))
    if shown:
        for line in reduced.describe(os.getpid()):
            say(line)
        flush()
    if waiting:
        from ..host_command import execute

        execute("reducecap", waiting)
    return 0


def _show_another(pid: str, *, alone: bool) -> int:
    if not alone:
        raise UsageError("--pid goes with --show, and with nothing else: a running process cannot be reduced")
    if not pid.isdecimal():
        raise UsageError(f"{pid!r} is not a process id")
    from ..reduced import describe

    for line in describe(int(pid)):
        say(line)
    return 0


def _named_by_option(word: str) -> int:
    """The historic way to take one: --NET_ADMIN."""
    try:
        return capabilities.number_of(word[2:] if word.startswith("--") else word)
    except KernelError as error:
        raise UsageError(f"{word!r} is not an option of reducecap, nor a capability") from error


def value_of(word: str, waiting: list[str]) -> str:
    """The value of an option, which is in the same word or is the next one."""
    option, _unused, value = word.partition("=")
    if not value and not waiting:
        raise UsageError(f"{option} needs a value")
    return value or waiting.pop(0)


def add_capability(text: str, left: set[int], taken: set[int]) -> None:
    """Put the number of what ``--cap`` names to those that are left, or taken where ``!`` is before it."""
    try:
        number = capabilities.number_of(text.lstrip("!"))
    except KernelError as error:
        raise UsageError(f"{text!r} is not a capability; capabilities(7) lists them") from error
    (taken if text.startswith("!") else left).add(number)


def refuse_needless(left: set[int], *, secure: bool) -> None:
    """UsageError for a capability that is to be left where nothing is taken away: that was meant otherwise."""
    if left and not secure:
        raise UsageError("--cap NAME goes with --secure: without it, only --cap !NAME takes anything away")


COMMANDS: dict[str, Callable[[list[str]], int]] = {"reducecap": reducecap}
