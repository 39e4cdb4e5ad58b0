# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet.order import Order
from hypothesis import given
from hypothesis import strategies as st

NAMES = [f"jail{number}" for number in range(12)]


@st.composite
def graphs(draw):
    """Who depends on whom, without circles: each only on those after it."""
    return {name: draw(st.sets(st.sampled_from(NAMES[i + 1 :] or [""]))) - {""} for i, name in enumerate(NAMES)}


def test_who_depends_on_nobody_comes_first():
    order = Order({"web1": ["db1", "cache1"], "web2": ["db1"], "db1": ["disk1"], "cache1": [], "disk1": []})
    assert order.levels(["web1", "web2", "db1", "cache1"]) == [["cache1"], ["db1"], ["web1", "web2"]]
    assert order.levels([]) == []


def test_a_need_that_nobody_knows_of_counts_for_nothing():
    order = Order({"web1": ["gone"]})
    assert order.levels(["web1"]) == [["web1"]]
    assert order.needs("web1") == set()


def test_jails_in_a_circle_come_last_and_not_never():
    order = Order({"a": ["b"], "b": ["a"], "c": []})
    assert order.levels(["a", "b", "c"]) == [["c"], ["a", "b"]]


def test_jails_without_dependencies_are_changed_in_portions():
    names = [f"web{number}" for number in range(150)]
    waves = Order(dict.fromkeys(names, ())).waves(names)
    assert [len(wave) for wave in waves] == [64, 64, 22]
    assert [name for wave in waves for name in wave] == names


def test_a_portion_grows_with_what_belongs_together():
    names = [f"web{number}" for number in range(100)]
    order = Order({**dict.fromkeys(names, ["db1"]), "db1": [], "dns1": []})
    waves = order.waves(["dns1", *names, "db1"])
    assert [len(wave) for wave in waves] == [1, 101]


@given(graphs(), st.sets(st.sampled_from(NAMES)))
def test_levels_respect_every_need(graph, chosen):
    levels = Order(graph).levels(chosen)
    place = {name: number for number, level in enumerate(levels) for name in level}
    assert place.keys() == chosen
    assert all(place[need] < place[name] for name in chosen for need in graph[name] if need in chosen)


@given(graphs(), st.lists(st.sampled_from(NAMES), unique=True))
def test_waves_hold_each_jail_once_and_tear_no_need_apart(graph, chosen):
    waves = Order(graph).waves(chosen)
    place = {name: number for number, wave in enumerate(waves) for name in wave}
    assert sorted(name for wave in waves for name in wave) == sorted(chosen)
    assert all(place[need] == place[name] for name in chosen for need in graph[name] if need in place)
