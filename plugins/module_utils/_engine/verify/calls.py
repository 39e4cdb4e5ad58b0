# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""System calls by name, with OSError as from Python's own functions, which attacks use beside them."""

from __future__ import annotations

import os
from typing import Any

from ..._kernel import libc
from ..._kernel.errors import KernelError
from ..._kernel.syscall_numbers import numbers

MACHINE = os.uname().machine
NUMBERS = numbers(MACHINE) if MACHINE in ("x86_64", "aarch64") else {}
_ENOSYS = 38

DETACH, EXPIRE, NO_FOLLOW = 2, 4, 8
BIND, MOVE, REMOUNT, READ_ONLY, RECURSIVE, PRIVATE = 4096, 8192, 32, 1, 16384, 1 << 18


def syscall(name: str, *arguments: Any) -> int:
    """Result of a system call; OSError where it fails or this architecture has none of that name (ENOSYS)."""
    if name not in NUMBERS:
        raise OSError(_ENOSYS, f"{name}: {os.strerror(_ENOSYS)}")
    return call_number(NUMBERS[name], name, *arguments)


def call_number(number: int, name: str, *arguments: Any) -> int:
    """The same by a number of one's own."""
    try:
        return libc.syscall(name, "", number, *arguments)
    except KernelError as error:
        raise OSError(error.errno, f"{name}: {os.strerror(error.errno)}") from error


def can_open(path: str, flags: int = os.O_RDONLY) -> None:
    """Open a file, and no more; OSError where that is refused."""
    os.close(os.open(path, flags))


def can_write(path: str) -> None:
    """The same for writing."""
    can_open(path, os.O_WRONLY)


def mount(source: str, target: str, fstype: str | None, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    kind = fstype.encode() if fstype else None
    syscall("mount", source.encode(), target.encode(), kind, flags, data.encode())


def umount(target: str, flags: int = DETACH) -> None:
    """umount2(2)."""
    syscall("umount2", target.encode(), flags)
