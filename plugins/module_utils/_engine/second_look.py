# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from . import places, store

_Found = TypeVar("_Found")


def take(name: str, look: Callable[[], _Found]) -> _Found:
    """Look at a jail once more under its lock: who has refused something may have seen half of another task's change.

    There is a lock, or nobody can have changed anything. LockBusy where that task does not come to an end.
    """
    with store.lock(name) as lock:
        try:
            return look()
        finally:
            if not os.path.exists(places.document(name)):
                # It was removed meanwhile, or is none, and so is the lock.
                lock.remove()
