# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Sequence

from ..._model.names import jail_name
from .. import store
from ..errors import EngineError
from .usage import UsageError


def select_jails(words: list[str]) -> list[str]:
    """The jails that a command line names, all of the host if it names none."""
    known = store.names()
    for name in words:
        if jail_name(name) not in known:
            raise EngineError(name, "there is no such jail on this host", remedy="jailctl list")
    return words or known


def split_flags(
    words: list[str], *, flags: Sequence[str] = (), values: Sequence[str] = ()
) -> tuple[set[str], dict[str, str], list[str]]:
    """Options out of a command line, in any order: flags that are set, options with values, and what is left."""
    found: set[str] = set()
    given: dict[str, str] = {}
    rest: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        option, _unused, value = word.partition("=")
        if option in values:
            if not value and not waiting:
                raise UsageError(f"{option} needs a value")
            given[option] = value or waiting.pop(0)
        elif word in flags:
            found.add(word)
        elif word.startswith("-"):
            raise UsageError(f"{word!r} is not an option here")
        else:
            rest.append(word)
    return found, given, rest
