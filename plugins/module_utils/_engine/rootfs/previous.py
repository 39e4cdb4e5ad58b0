# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os

from ..._kernel import files
from ..._kernel.errors import KernelError
from ..errors import EngineError
from . import directories, leftovers, manifests
from .manifests import RootManifest

# The root file system that a jail had before its last reset, if that reset was told to keep it: all of it, the jail's
# own layer together with the very generation below it. An upper layer is worth nothing over any other lower one
# (Documentation/filesystems/overlayfs.rst, "Changes to underlying filesystems").


def read(jail: str) -> RootManifest | None:
    """What the kept root of a jail stands on; None when none is kept."""
    return manifests.read_root(f"{directories.previous(jail)}/rootfs.json", jail)


def set_aside(jail: str) -> None:
    """Keep the root that a jail has now, in place of one that was kept before; the jail has none until it gets one."""
    forget(jail)
    _rename(directories.root(jail), directories.previous(jail))


def bring_back(jail: str) -> RootManifest:
    """Put the kept root in the place of the one that the jail has now, which is removed. EngineError: none is kept."""
    manifest = read(jail)
    if manifest is None:
        raise EngineError(jail, "no earlier root file system is kept", path="rootfs")
    leftovers.discard(directories.root(jail))
    _rename(directories.previous(jail), directories.root(jail))
    return manifest


def forget(jail: str) -> bool:
    """Remove the kept root of a jail; whether there was one."""
    path = directories.previous(jail)
    present = os.path.isdir(path)
    leftovers.discard(path)
    return present


def on_template(name: str, *, sure: bool = False) -> dict[str, str]:
    """Jails that keep a root which stands on a template, with the generation of each; ``sure`` is as of clones()."""
    found = {}
    for entry in directories.entries(directories.ROOTS):
        jail = directories.jail_of_previous(entry)
        with manifests.reading(jail, sure=sure):
            manifest = read(jail) if jail else None
            if manifest and manifest.template == name:
                found[manifest.jail] = manifest.generation
    return found


def _rename(old: str, new: str) -> None:
    try:
        os.rename(old, new)
    except FileNotFoundError:
        return
    except OSError as error:
        raise KernelError.from_os_error("rename", old, error) from error
    files.sync_directory(directories.ROOTS)
