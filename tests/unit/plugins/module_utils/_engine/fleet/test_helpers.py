# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet.helpers import map_all


def nothing():
    pass


@pytest.mark.parametrize("count", [0, 1, 49, 50, 101])
@pytest.mark.parametrize("parallel", [1, 2, 7])
def test_what_is_found_is_in_the_order_of_the_items(count, parallel):
    assert map_all(str, range(count), parallel=parallel, settle=nothing) == [str(number) for number in range(count)]


def test_many_items_are_looked_at_in_several_processes_which_settle_first():
    settled = []
    found = map_all(lambda _item: (os.getpid(), len(settled)), range(100), parallel=3, settle=lambda: settled.append(1))
    assert len(set(found)) == 3
    assert found[0] == (os.getpid(), 0)
    assert {settlements for pid, settlements in found if pid != os.getpid()} == {1}


def test_a_few_items_are_worth_no_process():
    assert set(map_all(lambda _item: os.getpid(), range(49), parallel=9, settle=nothing)) == {os.getpid()}


def test_what_a_killed_process_was_to_look_at_is_looked_at_once_more():
    parent = os.getpid()

    def look(item):
        if os.getpid() != parent and item == 99:
            os.kill(os.getpid(), 9)
        return item

    assert map_all(look, range(100), parallel=2, settle=nothing) == list(range(100))


def test_an_error_of_ours_is_raised_whichever_process_it_is_in():
    for wrong in (0, 99):
        with pytest.raises(ZeroDivisionError):
            map_all(lambda item, wrong=wrong: 1 // (item - wrong), range(100), parallel=2, settle=nothing)
