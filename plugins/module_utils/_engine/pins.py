# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os

from .._kernel import files, namespaces
from . import places, status, store


def restore(name: str) -> None:
    """Pin the namespaces of a running jail again whose pins somebody has unmounted.

    Its processes are in them, so new ones under the same paths would be other namespaces than the jail's.
    """
    state = store.read_state(name)
    if state is None or not status.is_alive(state):
        return
    for kind in ("user", "net"):
        path = places.namespace(name, kind)
        own = f"/proc/{state.pid}/ns/{kind}"
        if namespaces.is_pinned(path):
            continue
        try:
            fd = os.open(own, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, ProcessLookupError):
            return  # It has ended meanwhile, and nobody is in them any more.
        with files.closing(fd):
            if namespaces.identity(fd) != os.stat(f"/proc/self/ns/{kind}").st_ino:
                namespaces.pin(fd, path)
