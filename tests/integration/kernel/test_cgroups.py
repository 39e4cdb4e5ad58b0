# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroups import Cgroup, find_hierarchies

_PARENT = "jails-test-groups"
_ROUNDS = 50
_AT_ONCE = 4


def test_the_first_groups_below_another_can_be_made_and_joined_at_once() -> None:
    """Whoever finds the parent made must not find its cpuset empty: no process could join below it (ENOSPC)."""
    hierarchies = find_hierarchies()
    for _unused in range(_ROUNDS):
        children = [_in_child(Cgroup(hierarchies, f"{_PARENT}/{number}")) for number in range(_AT_ONCE)]
        statuses = [os.waitpid(pid, 0)[1] for pid in children]
        Cgroup(hierarchies, _PARENT).remove()
        assert statuses == [0] * _AT_ONCE


def _in_child(group: Cgroup) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            group.create()
            group.join()
            status = 0
        finally:
            os._exit(status)
    return pid
