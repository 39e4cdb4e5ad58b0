# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.allocation import (
    FIRST_UID,
    LAST_INDEX,
    RANGE,
    Allocation,
    allocate,
)
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from hypothesis import given
from hypothesis import strategies as st

LAST_CONTAINER_UID = 1879048191


def taken(*indexes):
    return {f"jail{index}": {"index": index} for index in indexes}


def test_the_first_jail_gets_the_second_range():
    first = allocate("web1", {})
    assert (first.index, first.uid_base, first.interface) == (1, 589824, "jl1")


def test_a_jail_keeps_what_it_has():
    assert allocate("jail7", taken(7)).index == 7


def test_a_gap_is_filled():
    assert allocate("web1", taken(1, 2, 4)).index == 3


def test_ranges_of_others_are_skipped():
    assert allocate("web1", {}, reserved=[(589824, 1)]).index == 2
    assert allocate("web1", {}, reserved=[(589824 - 1, 2), (655360 + 65535, 65536)]).index == 4
    assert allocate("web1", {}, reserved=[(0, 524288), (589824, 0)]).index == 1


def test_the_last_range_ends_where_the_ids_of_containers_end():
    last = Allocation("web1", LAST_INDEX)
    assert last.uid_base + RANGE - 1 == LAST_CONTAINER_UID
    assert len(last.interface) <= 15


def test_a_full_host_is_refused():
    with pytest.raises(DocumentError, match="all 28663 ranges of user ids are in use; remove jails"):
        allocate("web1", taken(*range(1, LAST_INDEX + 1)))
    with pytest.raises(DocumentError):
        allocate("web1", {}, reserved=[(FIRST_UID, 1 << 32)])


@pytest.mark.parametrize(
    "entry", [None, 1, {}, {"index": "1"}, {"index": 0}, {"index": True}, {"index": LAST_INDEX + 1}]
)
def test_a_damaged_allocation_is_never_given_away(entry):
    with pytest.raises(DocumentError, match="the allocation of db1 is damaged"):
        allocate("web1", {"db1": entry})


def test_mac_addresses_are_stable_local_and_unicast():
    mac = Allocation("web1", 1).mac
    assert mac == Allocation("web1", 1).mac
    assert mac.startswith("02:")
    assert len({Allocation("web1", index).mac for index in range(1, 1000)}) == 999


@given(
    st.sets(st.integers(1, 50)),
    st.lists(st.tuples(st.integers(FIRST_UID, FIRST_UID + 60 * RANGE), st.integers(1, 200000))),
)
def test_no_two_jails_and_no_reserved_range_share_an_id(indexes, reserved):
    found = allocate("new", taken(*indexes), reserved=reserved)
    assert found.index not in indexes
    ids = range(found.uid_base, found.uid_base + RANGE)
    for first, count in reserved:
        assert first + count <= ids.start or first >= ids.stop
