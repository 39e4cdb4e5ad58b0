# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import ctypes
import errno

from . import libc
from .errors import KernelError

_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_BYTES_PER_INSTRUCTION = 8


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def load_filter(program: bytes) -> None:
    """Put ourselves and every later child under a compiled filter, for good (seccomp(2)).

    ``program`` is an array of struct sock_filter. Needs no_new_privs or CAP_SYS_ADMIN in our user namespace, else
    KernelError EACCES. By prctl(2), which has no flags: before Linux 5.16 it also turns speculative store bypass off,
    and that is what a jail should have there.
    """
    instructions = ctypes.create_string_buffer(program, len(program))
    header = _Program(len(program) // _BYTES_PER_INSTRUCTION, ctypes.addressof(instructions))
    _set_filter("load a filter", ctypes.byref(header))


def is_available() -> bool:
    """Whether the running kernel filters system calls (CONFIG_SECCOMP_FILTER)."""
    try:
        _set_filter("probe for filters", None)
    except KernelError as error:
        # A kernel with filters gets as far as reading the program that is not there.
        return error.errno == errno.EFAULT
    return True


def _set_filter(what: str, header: object) -> None:
    libc.call("seccomp", what, "prctl", _PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), header, 0, 0)
