# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import ctypes
import os
import signal
import struct

from . import libc
from .errors import KernelError
from .files import closing

_CLONE3 = 435
_CLONE_INTO_CGROUP = 0x200000000
# struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, its size, tls, set_tid, its size, cgroup.
_ARGUMENTS = struct.Struct("=11Q")


def fork_into(group: str) -> int:
    """As os.fork(), but the child is born in a version 2 control group, which is given by its directory.

    clone3(2) with CLONE_INTO_CGROUP (Linux 5.7). To move a process is to stop the forks and exits of the whole host,
    and who is the first to do so in a while waits for all processors (an RCU grace period, some 12 ms).

    What Python does before and after a fork is called as its C API has it for other ways to clone a process; what the
    C library does is for threads (pthread_atfork(3)), so call it in a process that has only one. KernelError where the
    group is gone or takes no more.
    """
    try:
        fd = os.open(group, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelError.from_os_error("fork into", group, error) from error
    with closing(fd):
        return _clone(fd, group)


def _clone(fd: int, name: str) -> int:
    python = ctypes.pythonapi
    arguments = _ARGUMENTS.pack(_CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, fd)
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
