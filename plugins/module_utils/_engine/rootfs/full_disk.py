# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from ..._kernel import file_systems
from ..errors import EngineError


def full(jail: str, what: str, path: str) -> EngineError:
    """The error for a file system without room for ``what``; ``path`` is any path on it."""
    where = file_systems.mount_point(path)
    return EngineError(
        jail,
        f"{what}: the file system on {where} is full ({file_systems.room(where)}); nothing of it was kept",
        remedy=f"make room on {where} and run this again",
    )
