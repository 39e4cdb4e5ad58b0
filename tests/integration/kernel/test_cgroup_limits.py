# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

from ansible_collections.hosting.jails.plugins.module_utils._kernel import cgroup_quotas
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroup_limits import KNOBS
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroups import Cgroup, find_hierarchies

_ROUNDS = 300


def test_the_limits_of_a_group_that_goes_away_meanwhile_read_as_none() -> None:
    """A file of a group that is removed between its open and its read gives ENODEV."""
    group = Cgroup(find_hierarchies(), "jails-test-limits")
    over = threading.Event()

    def come_and_go() -> None:
        for _unused in range(_ROUNDS):
            group.create()
            group.remove()
        over.set()

    changes = threading.Thread(target=come_and_go)
    changes.start()
    try:
        while not over.is_set():
            assert {KNOBS[name].read(group) for name in ("memory", "swap", "pids", "cpus", "cpu_weight")} == {None}
    finally:
        changes.join()
        group.remove()


def test_limits_of_processor_time_are_lifted_of_a_group_and_of_all_below_it() -> None:
    hierarchies = find_hierarchies()
    groups = [Cgroup(hierarchies, f"jails-test-limits{below}") for below in ("", "/below", "/below/it")]
    try:
        for group in groups:
            group.create()
            KNOBS["cpus"].write(group, "0.5")
        cgroup_quotas.lift(groups[0])
        assert [KNOBS["cpus"].read(group) for group in groups] == [None] * 3
    finally:
        groups[0].remove()
    cgroup_quotas.lift(groups[0])
