# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.hosting.jails.plugins.filter.by_dependency import ordered
from ansible_collections.hosting.jails.plugins.filter.in_waves import waves
from ansible_collections.hosting.jails.plugins.plugin_utils._waves import by_dependency, in_waves
from hypothesis import given
from hypothesis import strategies as st

SIZES = st.lists(st.integers(1, 9) | st.integers(1, 200).map(lambda share: f"{share}%"), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("sizes", "lengths"),
    [
        ([1, "25%", "100%"], [1, 3, 6]),
        (["100%"], [10]),
        ([3], [3, 3, 3, 1]),
        (["1%"], [1] * 10),
        (["4"], [4, 4, 2]),
        ([1, 2, 1000], [1, 2, 7]),
    ],
)
def test_the_last_size_repeats_and_a_share_is_rounded_up(sizes, lengths):
    assert [len(wave) for wave in in_waves(range(10), sizes)] == lengths


@given(st.lists(st.integers(), max_size=30), SIZES)
def test_waves_are_the_list_in_its_order_and_none_is_empty(items, sizes):
    found = in_waves(items, sizes)
    assert [item for wave in found for item in wave] == items
    assert all(found)


@pytest.mark.parametrize("size", [0, "0%", -1, "a", True, None, 1.5, "10 %"])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(AnsibleFilterError, match="no size of a wave"):
        waves([1, 2], [1, size])


def test_one_size_needs_no_list():
    assert waves([1, 2, 3], "50%") == [[1, 2], [3]]
    with pytest.raises(AnsibleFilterError, match="there is no size"):
        waves([1], [])
    with pytest.raises(AnsibleFilterError, match="takes a list"):
        waves("abc", [1])


ROWS = [
    {"name": "web1", "depends": ["db1", "elsewhere"]},
    {"name": "db1", "depends": ["disk1"]},
    {"name": "disk1", "depends": None},
    {"name": "alone"},
]


def test_jails_come_after_what_they_depend_on_and_stop_before_it():
    order = [row["name"] for row in by_dependency(ROWS)]
    assert order == ["alone", "disk1", "db1", "web1"]
    assert [row["name"] for row in by_dependency(ROWS, stopping=True)] == order[::-1]
    assert by_dependency(ROWS)[-1] is ROWS[0]


def test_a_circle_and_what_is_no_jail_are_errors():
    with pytest.raises(AnsibleFilterError, match="circle"):
        ordered([{"name": "a", "depends": ["b"]}, {"name": "b", "depends": ["a"]}])
    for rows in ("web1", [{"depends": []}], [1]):
        with pytest.raises(AnsibleFilterError, match="takes a list of jails"):
            ordered(rows)
