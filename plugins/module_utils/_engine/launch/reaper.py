# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

from ..._kernel import processes
from ..._kernel.errors import KernelError
from ..errors import EngineError
from . import programs

_REAPERS = ("/usr/bin/catatonit", "/usr/libexec/catatonit/catatonit", "/usr/bin/tini-static", "/usr/bin/tini")
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def find_reaper(*, pausing: bool) -> str:
    """The host's reaper to run as a jail's pid 1, or ``builtin`` where none is installed.

    Only static ones: the jail has its own libraries, or none. tini cannot do without a command (``pausing``).
    """
    for path in _REAPERS:
        if pausing and "catatonit" not in path:
            continue
        if os.access(path, os.X_OK) and not _is_dynamic(path):
            return path
    return "builtin"


def _is_dynamic(path: str) -> bool:
    """Whether a program names a loader (PT_INTERP, elf(5)); the reapers are small enough to search their head."""
    with open(path, "rb") as file:
        head = file.read(4096)
    return b"/ld-linux" in head or b"/ld-musl" in head


def arguments(reaper: str, command: Sequence[str]) -> list[str]:
    """Argument vector of a reaper that runs a command, or only waits."""
    name = os.path.basename(reaper)
    return [name, "--", *command] if command else [name, "-P"]


def run_builtin(command: Sequence[str], environment: Mapping[str, str], *, on_host: bool) -> None:
    """Be pid 1 ourselves: run the command, pass signals on, reap, and exit as the command does.

    The last resort of a host without catatonit or tini: it keeps an interpreter in memory for every jail. It stays
    undumpable, so that nobody in the jail can look into it.
    """
    processes.set_undumpable()
    processes.set_name("init")
    # Blocked and waited for, so that none comes between a look and a wait; an init's blocked signals are kept for it.
    awaited = {signal.SIGCHLD, *_FORWARDED}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    child = _spawn(command, environment, on_host) if command else 0
    while True:
        number = signal.sigwait(awaited)
        if number == signal.SIGCHLD:
            _reap(child)
        elif child:
            os.kill(child, number)
        else:
            os._exit(0)


def _spawn(command: Sequence[str], environment: Mapping[str, str], on_host: bool) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        programs.execute(command, environment, on_host=on_host)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    except (EngineError, KernelError) as error:
        os.write(2, f"{error}\n".encode())
    os._exit(127)


def _reap(child: int) -> None:
    """Bury all that have ended; with the command we end ourselves."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid == child:
            os._exit(_shell_status(status))


def _shell_status(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
