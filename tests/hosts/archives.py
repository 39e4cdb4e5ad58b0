# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root file systems for jails on the hosts, which reach no mirror: every host has them in a directory, read-only."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ansible_collections.hosting.jails.tests.faults import roots
from ansible_collections.hosting.jails.tests.hosts import places
from ansible_collections.hosting.jails.tests.integration import jails

# As a host sees the directory.
SHOWN = "/srv/archives"


def ensure() -> Path:
    """The directory, as this machine sees it: debian.tar with nginx and Python, and small.tar with a shell."""
    places.ARCHIVES.mkdir(parents=True, exist_ok=True)
    _show(Path(jails.debian_root()), "debian.tar")
    small = places.ARCHIVES / "small.tar"
    # Made anew in a moment by whoever asks for it, and templates of it would be out of date each time.
    if not small.exists() or small.stat().st_mtime < os.stat(roots.__file__).st_mtime:
        _show(Path(roots.archive()), small.name)
    return places.ARCHIVES


def _show(archive: Path, name: str) -> None:
    """By a second link: each has its own time to be made anew, and may be read meanwhile."""
    target = places.ARCHIVES / name
    with contextlib.suppress(FileNotFoundError):
        if target.samefile(archive):
            return
    temporary = target.with_suffix(f".{os.getpid()}")
    os.link(archive, temporary)
    temporary.rename(target)
