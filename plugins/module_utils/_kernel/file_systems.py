# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import ctypes
import errno
import os
import stat

from . import libc

_FULL = (errno.ENOSPC, errno.EDQUOT)
_STATFS_SIZE = 256
_BLOCK = 512
_DEEPEST = 200
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def is_full(number: int | None) -> bool:
    """Whether an errno says that there is no room: no blocks, no inodes, or no quota left."""
    return number in _FULL


def type_number(path: str) -> int:
    """The magic number of a path's file system (statfs(2), f_type)."""
    buffer = ctypes.create_string_buffer(_STATFS_SIZE)
    libc.call("statfs", path, "statfs", os.fsencode(path), buffer)
    return ctypes.c_ulong.from_buffer(buffer).value & 0xFFFFFFFF


def mount_point(path: str) -> str:
    """Where the file system that holds a path is mounted."""
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def room(path: str) -> str:
    """What is left on a path's file system, for people."""
    status = os.statvfs(path)
    return f"{status.f_bavail * status.f_frsize // 2**20} MiB and {status.f_favail} inodes free"


def disk_usage(path: str) -> int:
    """Bytes that a tree takes on disk, hard links counted once; 0 for one that is not there.

    The tree may be another's, who changes it meanwhile: no link is followed, and what is deeper than 200 directories
    is not counted.
    """
    try:
        fd = os.open(path, _DIRECTORY)
    except OSError:
        return 0
    return _usage(fd, set(), _DEEPEST)


def _usage(directory: int, seen: set[int], depth: int) -> int:
    try:
        total = os.fstat(directory).st_blocks * _BLOCK
        for name in os.listdir(directory):
            total += _usage_of_entry(directory, name, seen, depth)
        return total
    finally:
        os.close(directory)


def _usage_of_entry(parent: int, name: str, seen: set[int], depth: int) -> int:
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            return _usage(os.open(name, _DIRECTORY, dir_fd=parent), seen, depth - 1) if depth else 0
    except OSError:
        return 0
    if status.st_nlink > 1:
        if status.st_ino in seen:
            return 0
        seen.add(status.st_ino)
    return status.st_blocks * _BLOCK
