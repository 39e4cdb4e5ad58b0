# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os

from ..._kernel.errors import KernelError
from .. import places, store

_LOCK = ".lock"


def remove_locks() -> None:
    """Remove the locks of jails that are gone.

    Such a lock is left by a removal that was killed when it had nothing else left to do; a purge is not about that jail
    any more when it comes again.
    """
    with contextlib.suppress(FileNotFoundError):
        for entry in os.listdir(places.RUNTIME):
            if entry.endswith(_LOCK) and entry[0] != ".":
                _remove(entry[: -len(_LOCK)])


def _remove(name: str) -> None:
    if _is_there(name):
        return
    # Whoever holds it is about to define that jail.
    with contextlib.suppress(KernelError), store.lock(name, timeout=0.0) as lock:
        if not _is_there(name):
            lock.remove()


def _is_there(name: str) -> bool:
    return os.path.exists(places.document(name)) or os.path.exists(places.runtime(name))
