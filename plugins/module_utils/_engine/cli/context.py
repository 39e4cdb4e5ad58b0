# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Callable

from .reduce import add_capability, refuse_needless, value_of
from .streams import complain, flush, say
from .usage import UsageError

TEXT = """usage: chcontext [--ctx NUMBER] [--cap [!]NAME...] [--secure] [--disconnect] [--silent]
                 [--hostname NAME] [--domainname NAME] COMMAND...

Runs a command of the host in a context: it sees only the processes of that context, on the host's own root.
  --ctx NUMBER   in this one, which is made if there is none; without it, in a new one
  --secure, --cap [!]NAME
                 below a ceiling of capabilities, as reducecap
  --disconnect   in the background, as a child of process 1
  --hostname NAME, --domainname NAME
                 what a new context calls itself
  --silent       do not print the number of a new context

A context ends with the last of its processes."""

_VALUES = ("--ctx", "--cap", "--hostname", "--domainname")
_FLAGS = ("--secure", "--disconnect", "--silent")


def chcontext(words: list[str]) -> int:
    """The command chcontext; the exit status of what it runs."""
    if words == ["--help"]:
        say(TEXT)
        return 0
    flags, values, left, taken, command = _parse(words)
    if not command:
        raise UsageError("chcontext needs a command")
    refuse_needless(left, secure="--secure" in flags)
    from .. import contexts
    from ..context_init import Names
    from ..reduced import Reduction

    started = contexts.start(
        contexts.Order(
            command=tuple(command),
            number=_number(values.get("--ctx")),
            reduction=Reduction("--secure" in flags, frozenset(left), frozenset(taken)),
            disconnected="--disconnect" in flags,
            names=Names(values.get("--hostname", ""), values.get("--domainname", "")),
        )
    )
    if started.new and "--silent" not in flags:
        complain(f"new context {started.number}")
    flush()
    return contexts.wait(started)


def _parse(words: list[str]) -> tuple[set[str], dict[str, str], set[int], set[int], list[str]]:
    flags: set[str] = set()
    values: dict[str, str] = {}
    left: set[int] = set()
    taken: set[int] = set()
    waiting = list(words)
    while waiting and waiting[0].startswith("-"):
        word = waiting.pop(0)
        if word == "--":
            break
        option = word.partition("=")[0]
        if word in _FLAGS:
            flags.add(word)
        elif option not in _VALUES:
            raise UsageError(f"{word!r} is not an option of chcontext")
        elif option == "--cap":
            add_capability(value_of(word, waiting), left, taken)
        else:
            values[option] = value_of(word, waiting)
    return flags, values, left, taken, waiting


def _number(text: str | None) -> int:
    if text is None:
        return 0
    if not text.isdecimal() or int(text) == 0:
        raise UsageError(f"--ctx {text}: write the number of a context, from 2")
    return int(text)


COMMANDS: dict[str, Callable[[list[str]], int]] = {"chcontext": chcontext}
