# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import errno
import os

from ..._kernel import files, trees
from ..._kernel.errors import KernelError
from . import directories

_PARTIAL = "partial"
_TRASH = "trash"


def new_partial(parent: str, name: str) -> str:
    """Make the directory in which something called ``name`` is built before it is renamed into place."""
    path = f"{parent}/.{_PARTIAL}.{name}.{os.urandom(4).hex()}"
    files.make_directory(path)
    return path


def discard(path: str) -> None:
    """Remove a tree so that it is gone at once for everybody: rename, then delete. What is gone is no error."""
    directory, name = os.path.split(path)
    trash = f"{directory}/.{_TRASH}.{name}.{os.urandom(4).hex()}"
    try:
        os.rename(path, trash)
    except FileNotFoundError:
        return
    except OSError as error:
        raise KernelError.from_os_error("discard", path, error) from error
    trees.remove_tree(trash)


def sweep(parent: str, name: str | None = None) -> None:
    """Delete what a killed builder or remover left in a directory: all of it, or only what was called ``name``.

    The caller holds the lock that every builder of these holds, so nobody alive is building there.
    """
    for entry in directories.entries(parent):
        if _is_leftover(entry, name):
            _remove(f"{parent}/{entry}")


def _is_leftover(entry: str, name: str | None) -> bool:
    parts = entry.split(".")
    if len(parts) != 4 or parts[0] or parts[1] not in (_PARTIAL, _TRASH):
        return False
    return name is None or parts[2] == name


def _remove(path: str) -> None:
    """Like remove_tree, beside a remover that is still at work on the same tree."""
    try:
        trees.remove_tree(path)
    except KernelError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
            raise
