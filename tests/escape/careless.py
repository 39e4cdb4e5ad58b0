# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Enters a jail as careless tools do, for the watcher in there to have something to catch.

    python3 careless.py PID

Joins all namespaces of a process and stays there for a while, traceable, with the host's root open.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time

_ALL = 0x20000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000 | 0x10000000

libc = ctypes.CDLL(None, use_errno=True)
held = os.open("/", os.O_RDONLY)
pidfd = os.pidfd_open(int(sys.argv[1]))
if libc.setns(pidfd, _ALL):
    raise OSError(ctypes.get_errno(), "setns")
if os.fork() == 0:
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    libc.prctl(4, ctypes.c_ulong(1), 0, 0, 0)  # PR_SET_DUMPABLE, which is what most programs are
    time.sleep(3)
    os._exit(0)
os.wait()
