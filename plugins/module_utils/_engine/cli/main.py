# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence

from ..._kernel.errors import KernelError
from ..._model.errors import DocumentError
from .. import places
from ..errors import EngineError
from . import usage
from .streams import complain, flush, introduce, open_missing, say
from .usage import UsageError

_USAGE_STATUS = 2
_NOTHING_RUN = 125
# What exits as the command does that it runs.
_RUNNERS = ("exec", "enter", "chbind", "chcontext", "reducecap")


def main(arguments: Sequence[str]) -> int:
    """The command jailctl, or another that it answers to if it is called by that name; the exit status."""
    open_missing()
    words = list(arguments[1:])
    command = os.path.basename(arguments[0])
    if command not in places.OTHER_NAMES:
        if not words or words[0] in ("help", "--help", "-h"):
            say(usage.TEXT)
            return 0 if words else _USAGE_STATUS
        command = words.pop(0)
    if command in places.OTHER_NAMES:
        introduce(command)
    elif words[:1] in (["--help"], ["-h"]) and (text := usage.of(command)):
        say(f"usage: jailctl COMMAND [OPTION...] [NAME...]\n\n{text}")
        return 0
    if os.geteuid() != 0:
        return _complain("jails are the business of the host's root", 1)
    return _run(command, words)


def _run(command: str, words: list[str]) -> int:
    try:
        function = _function(command)
        # What is imported stays, and is nothing for a collection to look at.
        gc.freeze()
        gc.enable()
        status = function(words)
        flush()
        return status
    except UsageError as error:
        return _complain(f"{error}; see jailctl --help", _USAGE_STATUS)
    except (DocumentError, EngineError, KernelError) as error:
        return _complain(str(error), _NOTHING_RUN if command in _RUNNERS else 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141


def _complain(message: str, status: int) -> int:
    complain(message)
    return status


def _function(command: str) -> Callable[[list[str]], int]:
    """Each group of commands is a file of its own, so that ``exec`` does not pay for the others."""
    if command in ("exec", "enter"):
        from .enter import COMMANDS
    elif command in ("list", "status", "stat", "logs"):
        from .look import COMMANDS
    elif command in ("ps", "top"):
        from .watch import COMMANDS
    elif command == "verify":
        from .verify import COMMANDS
    elif command == "task":
        from .task import COMMANDS
    elif command == "jls":
        from .jls import COMMANDS
    elif command == "jexec":
        from .jexec import COMMANDS
    elif command == "vserver":
        from .vserver import COMMANDS
    elif command == "vserver-stat":
        from .vserver_stat import COMMANDS
    elif command == "chbind":
        from .bind import COMMANDS
    elif command == "learn":
        from .learn import COMMANDS
    elif command == "chcontext":
        from .context import COMMANDS
    elif command == "reducecap":
        from .reduce import COMMANDS
    else:
        from .run import COMMANDS
    if command not in COMMANDS:
        raise UsageError(f"{command!r} is not a command")
    return COMMANDS[command]
