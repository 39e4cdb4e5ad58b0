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
    trash = put_away(path)
    if trash:
        trees.remove_tree(trash)


def put_away(path: str) -> str:
    """Have a tree gone for everybody, to be deleted by sweep(); where it is, or nothing where there was none."""
    directory, name = os.path.split(path)
    trash = f"{directory}/.{_TRASH}.{name}.{os.urandom(4).hex()}"
    try:
        os.rename(path, trash)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise KernelError.from_os_error("discard", path, error) from error
    return trash


def sweep(parent: str, name: str | None = None) -> None:
    """Delete what a killed builder or remover left in a directory: all of it, or only what was called ``name``.

    The caller holds the lock that every builder of these holds, so nobody alive is building there.
    """
    for entry in of(parent, name):
        _remove(f"{parent}/{entry}")


def of(parent: str, name: str | None = None) -> list[str]:
    """The entries of a directory that sweep() deletes."""
    return [entry for entry in directories.entries(parent) if _is_leftover(entry, name)]


def _is_leftover(entry: str, name: str | None) -> bool:
    """Kind, name and a random part; the root that a jail had before its last reset is the jail's as well."""
    for kind in (_PARTIAL, _TRASH):
        if entry.startswith(f".{kind}."):
            owner = entry[len(f".{kind}.") :].rpartition(".")[0]
            return name in (None, owner, directories.jail_of_previous(owner))
    return False


def _remove(path: str) -> None:
    """Like remove_tree, beside a remover that is still at work on the same tree."""
    try:
        trees.remove_tree(path)
    except KernelError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
            raise
