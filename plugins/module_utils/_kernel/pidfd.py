# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import select

from . import libc
from .errors import KernelError

_PIDFD_SEND_SIGNAL = 424
_MOMENT = 0.5


def open_pidfd(pid: int) -> int:
    """pidfd_open(2): a descriptor that names one process for ever and becomes readable when it ends."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        raise KernelError.from_os_error("pidfd_open", str(pid), error) from error


def send_signal(pidfd: int, number: int) -> bool:
    """Send a signal to the very process of a pidfd; False when it is gone."""
    try:
        libc.syscall("pidfd_send_signal", str(number), _PIDFD_SEND_SIGNAL, pidfd, number, 0, 0)
    except KernelError as error:
        if error.errno == 3:
            return False
        raise
    return True


def is_ending(pidfd: int) -> bool:
    """Whether a process ends within a moment.

    Nobody joins the pid namespace any more whose init is ending, which takes as long as its processes
    (pid_namespaces(7)): who was refused asks why.
    """
    return wait(pidfd, _MOMENT)


def wait(pidfd: int, timeout: float) -> bool:
    """Wait up to ``timeout`` seconds for the process to end; whether it did."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(max(0, int(timeout * 1000))))
