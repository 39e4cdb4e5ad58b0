# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.dependencies import start_order, stop_order
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from hypothesis import given
from hypothesis import strategies as st


def jails(**depends):
    return {name: {"name": name, "depends": needs} for name, needs in depends.items()}


def test_a_jail_starts_after_all_that_it_depends_on():
    assert start_order(jails(web=["db", "cache"], db=["disk"], cache=[], disk=[])) == ["cache", "disk", "db", "web"]


def test_jails_stop_in_the_reverse_order():
    assert stop_order(jails(web=["db"], db=[])) == ["web", "db"]


def test_a_document_without_depends_depends_on_nothing():
    assert start_order({"b": {"name": "b"}, "a": {"name": "a"}}) == ["a", "b"]


@pytest.mark.parametrize(
    ("documents", "circle"),
    [
        (jails(a=["b"], b=["a"]), "a -> b -> a"),
        (jails(a=["b"], b=["c"], c=["d"], d=["b"]), "b -> c -> d -> b"),
        (jails(a=["a"]), "a -> a"),
    ],
)
def test_a_circle_is_named(documents, circle):
    with pytest.raises(DocumentError, match=f"depends: jails depend on each other in a circle: {circle};"):
        start_order(documents)


def test_a_jail_that_there_is_not_is_named():
    with pytest.raises(DocumentError, match=r"^jail web: depends\[1\]: there is no jail dbx; define it first"):
        start_order(jails(web=["db", "dbx"], db=[]))


def test_a_long_chain_is_no_matter():
    names = [f"jail{number:04}" for number in range(500)]
    chain = {name: {"depends": names[index + 1 : index + 2]} for index, name in enumerate(names)}
    assert start_order(chain) == names[::-1]


@given(st.dictionaries(st.integers(0, 9), st.sets(st.integers(0, 9), max_size=3), max_size=10))
def test_the_order_honours_every_dependency(graph):
    """Dependencies on lower numbers only, so that there is no circle."""
    documents = {
        f"j{number}": {"depends": [f"j{need}" for need in sorted(needs) if need < number and need in graph]}
        for number, needs in graph.items()
    }
    order = start_order(documents)
    assert sorted(order) == sorted(documents)
    for name, document in documents.items():
        assert all(order.index(need) < order.index(name) for need in document["depends"])
