# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import ctypes
import signal
import struct

from . import libc

_CLONE3 = 435
_CLONE_INTO_CGROUP = 0x200000000
# struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, its size, tls, set_tid, its size, cgroup.
_ARGUMENTS = struct.Struct("=11Q")


def fork_into(group: int, *, name: str) -> int:
    """As os.fork(), but the child is born in the version 2 control group of a directory's descriptor.

    clone3(2) with CLONE_INTO_CGROUP (Linux 5.7). To move a process is to stop the forks and exits of the whole host,
    and who is the first to do so in a while waits for all processors (an RCU grace period, some 12 ms).

    What Python does before and after a fork is called as its C API has it for other ways to clone a process; what the
    C library does is for threads (pthread_atfork(3)), so call it in a process that has only one. KernelError where the
    group is gone or takes no more; ``name`` is for its message.
    """
    python = ctypes.pythonapi
    arguments = _ARGUMENTS.pack(_CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, group)
    pid = -1
    python.PyOS_BeforeFork()
    try:
        pid = libc.syscall("fork into", name, _CLONE3, arguments, len(arguments))
    finally:
        if pid == 0:
            python.PyOS_AfterFork_Child()
        else:
            python.PyOS_AfterFork_Parent()
    return pid
