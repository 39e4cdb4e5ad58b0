# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What commands of the host have in common that run in a group, under a ceiling or in a context of ours."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import NoReturn

from .._kernel import processes
from .._kernel.errors import KernelError

_FORWARDED = (signal.SIGTERM, signal.SIGHUP)
# Those of a terminal reach the command by themselves.
_IGNORED = (signal.SIGINT, signal.SIGQUIT)
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


def execute(program: str, command: Sequence[str]) -> NoReturn:
    """Become a command; where that cannot be, complain in the name of ``program`` and end as a shell would."""
    result = _NOT_EXECUTABLE
    try:
        processes.reset_signals()
        os.execvp(command[0], list(command))
    except FileNotFoundError:
        result = _NOT_FOUND
        os.write(2, f"{program}: {command[0]}: no such command\n".encode())
    except (OSError, KernelError) as error:
        os.write(2, f"{program}: {command[0]}: {error}\n".encode())
    finally:
        os._exit(result)


def wait_for(pid: int) -> int:
    """Exit status of a child in the shell's terms, to whom we pass on the signals that we get meanwhile."""
    for number in _FORWARDED:
        signal.signal(number, lambda received, _: os.kill(pid, received))
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code
