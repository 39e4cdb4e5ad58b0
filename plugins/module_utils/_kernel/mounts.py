# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from . import libc

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19

MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

ATTR_RDONLY = 0x01
ATTR_NOSUID = 0x02
ATTR_NODEV = 0x04
ATTR_NOEXEC = 0x08
ATTR_IDMAP = 0x00100000

AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_OPEN_TREE_CLOEXEC = os.O_CLOEXEC
_FSOPEN_CLOEXEC = 1
_FSMOUNT_CLOEXEC = 1
_FSCONFIG_SET_FLAG = 0
_FSCONFIG_SET_STRING = 1
_FSCONFIG_CMD_CREATE = 6
_MOVE_MOUNT_F_EMPTY_PATH = 0x04
_MOVE_MOUNT_T_EMPTY_PATH = 0x40


def mount(source: str | None, target: str, fstype: str | None, flags: int, data: str = "") -> None:
    """mount(2), the old call: for propagation changes and binds by path."""
    libc.call(
        f"mount {fstype or source or ''}".strip() + " on",
        target,
        "mount",
        _bytes(source),
        _bytes(target),
        _bytes(fstype),
        ctypes.c_ulong(flags),
        _bytes(data or None),
    )


def unmount(target: str, flags: int = MNT_DETACH) -> None:
    """umount2(2); lazily unless told otherwise."""
    libc.call("unmount", target, "umount2", _bytes(target), flags)


def clone_tree(directory: int, path: str, *, recursive: bool = False) -> int:
    """Descriptor of a detached bind mount of what a path names (open_tree(2), Linux 5.2).

    ``path`` may be empty: then ``directory`` itself, an O_PATH descriptor, is cloned. A detached mount is
    visible to nobody and goes with its descriptor.
    """
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC
    flags |= 0 if path else _AT_EMPTY_PATH
    flags |= _AT_RECURSIVE if recursive else 0
    return libc.syscall("open_tree", path, libc.OPEN_TREE, directory, path.encode(), flags)


def set_attributes(fd: int, attributes: int, *, idmap: int | None = None, recursive: bool = False) -> None:
    """mount_setattr(2) (Linux 5.12) by descriptor: ATTR_* flags to set and a user namespace to map ids by."""
    attributes |= 0 if idmap is None else ATTR_IDMAP
    request = struct.pack("=QQQQ", attributes, 0, 0, 0 if idmap is None else idmap)
    flags = _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
    libc.syscall("mount_setattr", f"{attributes:#x}", libc.MOUNT_SETATTR, fd, b"", flags, request, len(request))


def new_filesystem(fstype: str, options: Iterable[tuple[str, str | None]], *, attributes: int = 0) -> int:
    """Descriptor of a detached mount of a new file system instance (fsopen(2), fsconfig(2), fsmount(2)).

    An option whose value is None is a flag.
    """
    context = libc.syscall("fsopen", fstype, libc.FSOPEN, fstype.encode(), _FSOPEN_CLOEXEC)
    try:
        for key, value in options:
            _configure(context, fstype, key, value)
        libc.syscall("create file system", fstype, libc.FSCONFIG, context, _FSCONFIG_CMD_CREATE, 0, 0, 0)
        return libc.syscall("fsmount", fstype, libc.FSMOUNT, context, _FSMOUNT_CLOEXEC, attributes)
    finally:
        os.close(context)


def _configure(context: int, fstype: str, key: str, value: str | None) -> None:
    operation = f"set {key}={value} of" if value is not None else f"set {key} of"
    if value is None:
        libc.syscall(operation, fstype, libc.FSCONFIG, context, _FSCONFIG_SET_FLAG, key.encode(), 0, 0)
        return
    libc.syscall(operation, fstype, libc.FSCONFIG, context, _FSCONFIG_SET_STRING, key.encode(), value.encode(), 0)


def attach(fd: int, target: int) -> None:
    """Attach a detached mount on what an O_PATH descriptor names (move_mount(2)): no path is looked up again."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
    libc.syscall("move_mount", f"descriptor {target}", libc.MOVE_MOUNT, fd, b"", target, b"", flags)


def attach_at(fd: int, path: str) -> None:
    """Attach a detached mount on a path that only we can change."""
    libc.syscall("move_mount", path, libc.MOVE_MOUNT, fd, b"", AT_FDCWD, path.encode(), _MOVE_MOUNT_F_EMPTY_PATH)


def pivot_root_here() -> None:
    """Make the current directory, a mount point, the root, and detach the old root (pivot_root(2), NOTES)."""
    old = os.open("/", os.O_DIRECTORY | os.O_PATH | os.O_CLOEXEC)
    try:
        libc.syscall("pivot_root", ".", libc.number("pivot_root"), b".", b".")
        os.fchdir(old)
        unmount(".")
        os.chdir("/")
    finally:
        os.close(old)


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else value.encode()
