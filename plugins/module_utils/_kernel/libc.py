# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import ctypes
import os

from .errors import KernelError

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
# Whole words, since syscall(2) is variadic, and all six of them.
_libc.syscall.argtypes = [ctypes.c_long] + [ctypes.c_void_p] * 6
_UNUSED = (0,) * 6

# System calls that glibc 2.31 (Debian 11) does not wrap; since Linux 5.1 new ones have one number everywhere.
OPEN_TREE = 428
MOVE_MOUNT = 429
FSOPEN = 430
FSCONFIG = 431
FSMOUNT = 432
CLOSE_RANGE = 436
OPENAT2 = 437
MOUNT_SETATTR = 442

_NUMBERS_BY_MACHINE = {
    "x86_64": {"pivot_root": 155, "keyctl": 250, "execveat": 322, "memfd_create": 319, "bpf": 321},
    "aarch64": {"pivot_root": 41, "keyctl": 219, "execveat": 281, "memfd_create": 279, "bpf": 280},
}


def number(name: str) -> int:
    """Number of an older system call on this machine's architecture; KernelError ENOSYS where we do not know it."""
    numbers = _NUMBERS_BY_MACHINE.get(os.uname().machine, {})
    if name not in numbers:
        raise KernelError(f"look up system call {name}", os.uname().machine, 38)
    return numbers[name]


def call(operation: str, target: str, function: str, *arguments: object) -> int:
    """Call a libc function that reports failure as a negative result and errno.

    ``operation`` and ``target`` only serve the message of the KernelError.
    """
    result: int = getattr(_libc, function)(*arguments)
    if result < 0:
        raise KernelError(operation, target, ctypes.get_errno())
    return result


def syscall(operation: str, target: str, nr: int, *arguments: object) -> int:
    """Call a system call by number, with integers, bytes and None as arguments."""
    result: int = _libc.syscall(nr, *arguments, *_UNUSED[len(arguments) :])
    if result < 0:
        raise KernelError(operation, target, ctypes.get_errno())
    return result
