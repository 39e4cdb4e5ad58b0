# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import time

from ..._kernel import files
from .. import places

TEMPLATES = f"{places.STATE}/templates"
ROOTS = f"{places.STATE}/roots"

# A dot cannot start a jail's or a template's name, so nothing of ours collides with one of theirs.
_LOCKS = f"{places.RUNTIME}/.templates"
_PREVIOUS = ".previous."


def template(name: str) -> str:
    """Directory of all generations of a template."""
    return f"{TEMPLATES}/{name}"


def generation(name: str, identity: str) -> str:
    """Directory of one finished generation: rootfs/, manifest.json, build.log."""
    return f"{TEMPLATES}/{name}/{identity}"


def root(jail: str) -> str:
    """Directory of a jail's own file system: rootfs.json, upper/, work/, and base/ where it has one."""
    return f"{ROOTS}/{jail}"


def manifest(jail: str) -> str:
    """What a jail's root stands on; there is a root when, and only when, this file is there."""
    return f"{ROOTS}/{jail}/rootfs.json"


def previous(jail: str) -> str:
    """Directory of the root that a jail had before its last reset, where that was to be kept."""
    return f"{ROOTS}/{_PREVIOUS}{jail}"


def jail_of_previous(entry: str) -> str:
    """The jail whose kept root an entry of ROOTS is, empty for any other entry."""
    return entry[len(_PREVIOUS) :] if entry.startswith(_PREVIOUS) else ""


def build_lock(name: str) -> str:
    """Lock of whoever builds a template. In /run: no lock outlives a boot, and its holder does not either."""
    files.make_directory(_LOCKS)
    return f"{_LOCKS}/{name}.lock"


def references_lock() -> str:
    """Lock of the references from jails to generations: held for moments, never during a build."""
    files.make_directory(_LOCKS)
    return f"{_LOCKS}/.references.lock"


def new_identity() -> str:
    """A name for a generation, by the time in UTC to the microsecond: builders of a template take turns."""
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}-{nanoseconds // 1000:06}"


def entries(directory: str) -> list[str]:
    """Sorted names in a directory; none where there is no directory."""
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
