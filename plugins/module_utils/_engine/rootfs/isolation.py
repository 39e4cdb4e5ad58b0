# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import signal
from collections.abc import Callable

from ..._kernel import mounts, namespaces, pidfd, processes

_PRIVATE = namespaces.NEWNS | namespaces.NEWPID | namespaces.NEWIPC | namespaces.NEWUTS


def run_isolated(function: Callable[[], bytes], *, network: bool) -> bytes:
    """Run a function as the first process of mount, pid, ipc and uts namespaces of its own; return its bytes.

    Its mounts are seen by nobody else, and when it ends, or we are killed, every process that it started is killed
    by the kernel (pid_namespaces(7)) and every mount is gone with the last of them. Without ``network`` it also has
    a network namespace with nothing in it. Descriptors are inherited. Raises what ``processes.run_in_child`` raises.
    """
    flags = _PRIVATE if network else _PRIVATE | namespaces.NEWNET
    caller = os.getpid()

    def enter() -> bytes:
        processes.die_with(caller)
        myself = pidfd.open_pidfd(os.getpid())
        namespaces.unshare(flags)
        return processes.run_in_child(lambda: _first_process(function, myself))

    return processes.run_in_child(enter)


def _first_process(function: Callable[[], bytes], parent: int) -> bytes:
    """A namespace's first process cannot see its parent's pid, so a pidfd tells whether that is alive."""
    processes.set_parent_death_signal(signal.SIGKILL)
    if pidfd.wait(parent, 0):
        os._exit(1)
    os.close(parent)
    mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
    mounts.mount("proc", "/proc", "proc", mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC)
    return function()
