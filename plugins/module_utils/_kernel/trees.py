# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import errno
import os
import stat

from .errors import KernelError

# A descriptor a level is open meanwhile, and 1024 is what a process commonly may have.
_DEEPEST = 64
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str) -> None:
    """Remove a directory tree by descriptors: it follows no link and crosses no mount (CWE-59, CWE-367).

    The tree may be as deep as a jail could make it, which is deeper than any path or recursion. What is already gone
    is no error. A mount inside the tree makes it fail with EXDEV before that mount's content is touched.
    """
    directory, name = os.path.split(path.rstrip("/"))
    try:
        parent = os.open(directory or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _Removal(parent).remove(name)
    except OSError as error:
        raise KernelError.from_os_error("remove tree", path, error) from error
    finally:
        os.close(parent)


class _Removal:
    def __init__(self, parent: int) -> None:
        self.parent = parent
        self.device = os.fstat(parent).st_dev
        self.top = -1

    def remove(self, name: str) -> None:
        if not self._is_directory(self.parent, name):
            return
        self.top = os.open(name, _DIRECTORY, dir_fd=self.parent)
        try:
            # Directories that were too deep have come up here meanwhile.
            while children := os.listdir(self.top):
                for child in children:
                    self._remove_entry(self.top, child, depth=0)
        finally:
            os.close(self.top)
        os.rmdir(name, dir_fd=self.parent)

    def _remove_entry(self, parent: int, name: str, *, depth: int) -> None:
        if not self._is_directory(parent, name):
            return
        if depth > _DEEPEST:
            # Random, so that no name in the tree can be in the way.
            os.rename(name, os.urandom(16).hex(), src_dir_fd=parent, dst_dir_fd=self.top)
            return
        fd = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            for child in os.listdir(fd):
                self._remove_entry(fd, child, depth=depth + 1)
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=parent)

    def _is_directory(self, parent: int, name: str) -> bool:
        """Whether there is a directory to empty; anything else is unlinked, or gone already."""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(name, dir_fd=parent)
            return False
        if status.st_dev != self.device:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
        return True
