# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.allocation import (
    FIRST_UID,
    IDS_OF_THE_HOST,
    LAST_INDEX,
    RANGE,
    Allocation,
    IdRange,
    allocate,
    allocate_all,
    range_of,
)
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.fixed_ids import refuse_other_ids
from hypothesis import given
from hypothesis import strategies as st

LAST_CONTAINER_UID = 1879048191


def taken(*indexes):
    return {f"jail{index}": {"index": index} for index in indexes}


def test_the_first_jail_gets_the_second_range():
    first = allocate("web1", {})
    assert (first.number, first.uid_base, first.interface) == (1, 589824, "jl1")


def test_a_jail_keeps_what_it_has():
    assert allocate("jail7", taken(7)).number == 7


def test_a_gap_is_filled():
    assert allocate("web1", taken(1, 2, 4)).number == 3


def test_ranges_of_others_are_skipped():
    assert allocate("web1", {}, reserved=[(589824, 1)]).number == 2
    assert allocate("web1", {}, reserved=[(589824 - 1, 2), (655360 + 65535, 65536)]).number == 4
    assert allocate("web1", {}, reserved=[(0, 524288), (589824, 0)]).number == 1


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
    "entry",
    [
        None,
        1,
        {},
        {"index": "1"},
        {"index": 0},
        {"index": True},
        {"index": LAST_INDEX + 1},
        {"index": 1, "base": 65536},
        {"index": 1, "base": 0, "size": 65536},
        {"index": 1, "base": "65536", "size": 65536},
    ],
)
def test_a_damaged_allocation_is_never_given_away(entry):
    with pytest.raises(DocumentError, match="the allocation of db1 is damaged"):
        allocate("web1", {"db1": entry})


FIXED = IdRange(1 << 20, 2 * RANGE)


def test_ids_that_a_document_asks_for_are_the_jails():
    found = allocate("web1", taken(1), fixed=FIXED)
    assert (found.number, found.uid_base, found.ids) == (2, 1 << 20, FIXED)
    assert found.entry() == {"index": 2, "base": 1 << 20, "size": 131072}
    assert allocate("web1", {"web1": found.entry()}) == found
    assert Allocation("web1", 2).entry() == {"index": 2}


@pytest.mark.parametrize("entry", [{"index": 1, "base": 1 << 20, "size": RANGE}, {"index": (1 << 20) // RANGE - 8 + 1}])
def test_ids_of_another_jail_are_refused(entry):
    with pytest.raises(DocumentError, match="caps.user_namespace: the ids from .* belong to jail db1; choose others"):
        allocate("web1", {"db1": entry}, fixed=FIXED)


def test_ids_of_the_hosts_users_are_refused():
    with pytest.raises(DocumentError, match="the ids from 1179647 to 1179647 belong to users of the host"):
        allocate("web1", {}, reserved=[((1 << 20) + 2 * RANGE - 1, 1)], fixed=FIXED)
    assert allocate("web1", {}, reserved=[((1 << 20) + 2 * RANGE, 1), (0, 1 << 20), (1 << 20, 0)], fixed=FIXED)


def test_two_jails_that_ask_for_the_same_ids_at_once_do_not_both_get_them():
    with pytest.raises(DocumentError, match="jail db1: caps.user_namespace: .* belong to jail web1"):
        allocate_all(["web1", "db1"], {}, fixed={"web1": FIXED, "db1": FIXED})


def test_ids_that_are_found_keep_clear_of_those_that_are_asked_for():
    fixed = IdRange(FIRST_UID + RANGE, 3 * RANGE)
    assert allocate("db1", {"web1": {"index": 9, **fixed._asdict()}}).number == 4
    together = allocate_all(["db1", "web1"], {}, fixed={"web1": fixed})
    assert together["db1"].number == 4


def test_a_jail_cannot_have_other_ids_than_its_files():
    document = {"caps": {"user_namespace": FIXED._asdict()}}
    assert range_of(document) == FIXED
    refuse_other_ids(Allocation("web1", 3, FIXED), document)
    for any_will_do in ({}, {"caps": {}}, {"caps": {"user_namespace": True}}):
        refuse_other_ids(Allocation("web1", 3, FIXED), any_will_do)
    with pytest.raises(DocumentError, match="the jail has the ids from 720896 to 786431, and so have its files"):
        refuse_other_ids(Allocation("web1", 3), document)


def test_a_jail_on_the_hosts_ids_takes_none_from_anybody():
    everybodys = [(0, 1), (1000, 1), (100000, 65536)]
    without = allocate("web1", taken(1), reserved=everybodys, fixed=IDS_OF_THE_HOST)
    assert (without.number, without.uid_base, without.ids.size) == (2, 0, 0)
    recorded = {"web1": without.entry()}
    assert recorded == {"web1": {"index": 2, "base": 0, "size": 0}}
    assert allocate("web1", recorded) == without
    both = allocate_all(["db1", "db2"], recorded, reserved=everybodys, fixed={"db2": IDS_OF_THE_HOST})
    assert [both[name].uid_base for name in ("db1", "db2")] == [FIRST_UID + RANGE, 0]
    with pytest.raises(DocumentError, match="is damaged"):
        allocate("web1", {"web1": {"index": 2, "base": 0, "size": RANGE}})


def test_a_jail_keeps_its_user_namespace_or_that_it_has_none():
    without, own = Allocation("web1", 1, IDS_OF_THE_HOST), Allocation("web1", 1)
    refuse_other_ids(without, {"caps": {"user_namespace": False}})
    for other in ({}, {"caps": {}}, {"caps": {"user_namespace": True}}, {"caps": {"user_namespace": FIXED._asdict()}}):
        with pytest.raises(DocumentError, match="the jail has no user namespace, .*; say false, or remove the jail"):
            refuse_other_ids(without, other)
    with pytest.raises(DocumentError, match="and so have its files"):
        refuse_other_ids(own, {"caps": {"user_namespace": False}})


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
    assert found.number not in indexes
    ids = range(found.uid_base, found.uid_base + RANGE)
    for first, count in reserved:
        assert first + count <= ids.start or first >= ids.stop
