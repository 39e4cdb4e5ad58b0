# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Callable

from ..._model.addresses import parse_address
from ..._model.place import Place
from .streams import say
from .usage import UsageError

TEXT = """usage: chbind --ip ADDRESS [--ip ADDRESS...] COMMAND...

Runs a command of the host, a server or a client, with these of its addresses and no others: it binds to them, and comes
from them. The first of a family stands for the wildcard and for loopback."""


def _bind(words: list[str]) -> int:
    if words == ["--help"]:
        say(TEXT)
        return 0
    addresses: list[str] = []
    while words and words[0].startswith("-"):
        option, _unused, value = words.pop(0).partition("=")
        if option == "--":
            break
        if option != "--ip":
            raise UsageError(f"{option!r} is not an option of chbind")
        if not value and not words:
            raise UsageError("--ip needs an address")
        # The mask that chbind(8) took along is nothing that a socket is bound to.
        text = (value or words.pop(0)).partition("/")[0]
        addresses.append(parse_address(text, Place("", "--ip")))
    if not addresses:
        raise UsageError("chbind needs an address: --ip ADDRESS")
    if not words:
        raise UsageError("chbind needs a command")
    from ..bound import run

    return run(addresses, words)


COMMANDS: dict[str, Callable[[list[str]], int]] = {"chbind": _bind}
