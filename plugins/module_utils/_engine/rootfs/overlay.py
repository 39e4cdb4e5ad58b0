# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from typing import NamedTuple

from ..._kernel import file_systems
from ..errors import EngineError

# File systems that the kernel refuses as an upper layer with a bare EINVAL, or that lose changes as one: they lack
# xattrs, d_type, O_TMPFILE or whiteouts (Documentation/filesystems/overlayfs.rst, "Upper and lower").
_UNFIT = {
    0x794C7630: "overlay",
    0x6969: "nfs",
    0x01021997: "9p",
    0xFF534D42: "cifs",
    0xFE534D42: "smb2",
    0x517B: "smbfs",
    0x4D44: "vfat",
    0x2011BAB0: "exfat",
    0x5346544E: "ntfs",
    0x65735546: "fuse",
    0xF15F: "ecryptfs",
    0x73717368: "squashfs",
    0xE0F5E1E2: "erofs",
    0x9660: "iso9660",
}


class Layers(NamedTuple):
    """The directories of a jail's root: overlayfs takes ``lower`` (ids unshifted), ``upper`` and ``work`` (shifted)."""

    lower: str
    upper: str
    work: str


def refuse_unfit_file_system(jail: str, path: str) -> None:
    """Raise EngineError if a file system cannot hold the upper layer of a jail."""
    kind = _UNFIT.get(file_systems.type_number(path))
    if kind is None:
        return
    raise EngineError(
        jail,
        f"{file_systems.mount_point(path)} is of type {kind}, which cannot be the upper layer of an overlay",
        path="rootfs",
        remedy="mount ext4, xfs or btrfs on /var/lib/jails",
    )


def make_layers(directory: str, *, lower: str, owner: int) -> Layers:
    """Make ``upper`` and ``work`` in a directory where they are missing.

    The root directory of an overlay is the upper one, so it takes its mode from the lower one and belongs to the
    jail's root, whose host id is ``owner``.
    """
    layers = Layers(lower, f"{directory}/upper", f"{directory}/work")
    mode = os.stat(lower).st_mode & 0o7777
    for path in (layers.work, layers.upper):
        # A directory that is there is in use or complete: it is renamed into place below.
        if not os.path.isdir(path):
            _make_owned(path, owner, mode)
    return layers


def _make_owned(path: str, owner: int, mode: int) -> None:
    unfinished = f"{path}.new"
    if not os.path.isdir(unfinished):
        os.mkdir(unfinished, 0o700)
    os.chown(unfinished, owner, owner)
    os.chmod(unfinished, mode)
    os.rename(unfinished, path)
