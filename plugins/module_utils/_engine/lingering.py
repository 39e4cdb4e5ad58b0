# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Processes that were killed and are still there: what of a jail's own may hold them."""

from __future__ import annotations

from .._kernel import cgroup_quotas, fuse
from .._kernel.cgroups import Cgroup
from . import allocations

_SECONDS = 5.0


def end(name: str, members: Cgroup) -> bool:
    """Whether those of a jail end once nothing of its own holds them.

    An end takes processor time, of which a jail may have next to none. And who serves himself a file system waits for
    his own answer when he ends, and then for ever.
    """
    cgroup_quotas.lift(members)
    allocation = allocations.find(name)
    if allocation:
        fuse.abort_connections(range(allocation.ids.base, allocation.ids.base + allocation.ids.size))
    left = len(members.processes())
    while not members.wait_empty(_SECONDS):
        before, left = left, len(members.processes())
        if left >= before:
            return False
    return True
