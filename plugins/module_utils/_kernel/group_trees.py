# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Trees of control groups that a jail's root may have made: deeper than a path may be long, or functions may nest.

So they are walked from descriptor to descriptor.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(directory: str) -> bool:
    """Remove a group depth first; whether it is gone, or never was there."""
    try:
        _remove_all_in(directory)
        os.rmdir(directory)
    except FileNotFoundError:
        return not os.path.lexists(directory)
    except OSError:
        return False
    return True


def _remove_all_in(directory: str) -> None:
    names: list[str] = []
    fd = os.open(directory, _DIRECTORY)
    try:
        while True:
            below = _first_directory(fd)
            if not below and not names:
                return
            fd = _moved(fd, below or "..")
            if below:
                names.append(below)
            else:
                os.rmdir(names.pop(), dir_fd=fd)
    finally:
        os.close(fd)


def _moved(fd: int, name: str) -> int:
    """A descriptor of the directory of that name, in exchange for the one that it is seen from."""
    found = os.open(name, _DIRECTORY, dir_fd=fd)
    os.close(fd)
    return found


def _first_directory(fd: int) -> str:
    with os.scandir(fd) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                return entry.name
    return ""


def walk(directory: str) -> Iterator[int]:
    """Descriptors of a group and of all below it, each open until the next; none of a group that is gone.

    What a jail makes is no deeper than cgroup.max.depth, so one open a level is not too many.
    """
    with contextlib.suppress(FileNotFoundError):
        for _path, _directories, _files, fd in os.fwalk(directory):
            yield fd


def read(fd: int, name: str) -> str:
    """Content of a control file of a group by its descriptor; empty when the group is gone."""
    try:
        with open(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=fd), encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""
