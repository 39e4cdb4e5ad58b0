# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import struct

from . import libc
from .errors import KernelError

_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_IN_ROOT = 0x10


def open_beneath(root: int, path: str, flags: int) -> int:
    """Open a path as if ``root`` (a directory descriptor) were "/": no link inside it can lead out.

    openat2(2), Linux 5.6. The races of path checks done in user space are what most container escapes were.
    """
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    return libc.syscall("open", path, libc.OPENAT2, root, os.fsencode(path), how, len(how))


def make_directory(root: int, path: str, *, mode: int = 0o755, owner: tuple[int, int] | None = None) -> int:
    """O_PATH descriptor of a directory under ``root``; what is missing on the way is made, for ``owner``."""
    try:
        return _directory(root, path)
    except KernelError as error:
        if error.errno != 2:
            raise
    fd = os.dup(root)
    walked = ""
    for part in (part for part in path.split("/") if part):
        walked += "/" + part
        try:
            child = _directory(root, walked)
        except KernelError as error:
            if error.errno != 2:
                os.close(fd)
                raise
            _mkdir(fd, part, mode=mode, owner=owner)
            child = _directory(root, walked)
        os.close(fd)
        fd = child
    return fd


def make_file(root: int, path: str, *, owner: tuple[int, int] | None = None) -> int:
    """O_PATH descriptor of a file under ``root`` to mount on; an empty one is made where there is none."""
    directory, _unused, name = path.strip("/").rpartition("/")
    parent = make_directory(root, directory, owner=owner)
    try:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=parent)
    except FileExistsError:
        return open_beneath(root, path, os.O_PATH)
    except OSError as error:
        raise KernelError.from_os_error("make file", path, error) from error
    finally:
        os.close(parent)
    try:
        if owner:
            os.fchown(fd, *owner)
    finally:
        os.close(fd)
    return open_beneath(root, path, os.O_PATH)


def _directory(root: int, path: str) -> int:
    return open_beneath(root, path, os.O_PATH | os.O_DIRECTORY)


def _mkdir(parent: int, name: str, *, mode: int, owner: tuple[int, int] | None) -> None:
    try:
        os.mkdir(name, mode, dir_fd=parent)
        if owner:
            os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
    except FileExistsError:
        return
    except OSError as error:
        raise KernelError.from_os_error("make directory", name, error) from error
