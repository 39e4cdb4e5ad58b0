# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import struct
from typing import Union

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel.bpf_filter import (
    FilterBuilder,
    Label,
    from_bytes,
    to_bytes,
)
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._kernel.bpf_simulator import run
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.integers(0, 0xFFFFFFFF)

# A verdict, or a question (comparison, value, then, otherwise).
Tree = Union[int, tuple[str, int, "Tree", "Tree"]]
TREES: st.SearchStrategy[Tree] = st.recursive(
    st.integers(0, 3),
    lambda trees: st.tuples(st.sampled_from(["equal", "at_least", "any_bit"]), st.integers(0, 20), trees, trees),
    max_leaves=40,
)


def place(builder: FilterBuilder, tree: Tree) -> Label:
    if isinstance(tree, int):
        return builder.returns(tree)
    comparison, value, then, otherwise = tree
    ask = {"equal": builder.if_equal, "at_least": builder.if_at_least, "any_bit": builder.if_any_bit}[comparison]
    return ask(value, place(builder, then), place(builder, otherwise))


def answer(tree: Tree, word: int) -> int:
    while not isinstance(tree, int):
        comparison, value, then, otherwise = tree
        holds = {"equal": word == value, "at_least": word >= value, "any_bit": word & value != 0}[comparison]
        tree = then if holds else otherwise
    return tree


@given(TREES, st.integers(0, 25))
def test_a_program_answers_as_the_tree_that_it_was_built_from(tree: Tree, word: int) -> None:
    builder = FilterBuilder()
    program = builder.program(builder.load(0, place(builder, tree)))
    assert run(program, struct.pack("<I", word))[0] == answer(tree, word)


@pytest.mark.parametrize("size", [1, 100, 254, 255, 256, 257, 300, 600, 1200])
def test_targets_farther_than_255_instructions_are_reached(size: int) -> None:
    builder = FilterBuilder()
    hit = builder.keep_bits(0x7, builder.returns(99) if size % 2 else builder.load(4, builder.returns(99)))
    label = builder.returns(0)
    for value in range(size):
        label = builder.if_equal(value, hit, label)
    program = builder.program(builder.load(0, label))
    for word in (0, size // 2, size - 1):
        assert run(program, struct.pack("<II", word, 0))[0] == 99
    assert run(program, struct.pack("<II", size, 0))[0] == 0


@pytest.mark.parametrize("size", [254, 255, 256, 257, 258, 259, 260])
def test_both_targets_may_be_far_away(size: int) -> None:
    builder = FilterBuilder()
    low = builder.load(4, builder.returns(1))
    high = builder.load(8, builder.returns(2))
    label = builder.returns(3)
    for value in range(size):
        label = builder.if_equal(0x1000 + value, builder.returns(3 + value), label)
    program = builder.program(builder.load(0, builder.if_at_least(50, high, low)))
    assert run(program, bytes(12))[0] == 1
    assert run(program, struct.pack("<III", 50, 0, 0))[0] == 2


def test_equal_parts_become_one() -> None:
    builder = FilterBuilder()
    allow = builder.returns(1)
    assert builder.returns(1) == allow
    deny = builder.returns(0)
    question = builder.if_equal(5, allow, deny)
    assert builder.if_equal(5, allow, deny) == question
    assert len(builder.program(question)) == 3


def test_a_question_with_one_answer_is_none() -> None:
    builder = FilterBuilder()
    allow = builder.returns(1)
    assert builder.if_equal(5, allow, allow) == allow


def test_a_program_longer_than_the_kernel_takes_is_refused() -> None:
    builder = FilterBuilder()
    label = builder.returns(0)
    for value in range(4096):
        label = builder.if_equal(value, builder.returns(1), label)
    with pytest.raises(ValueError, match="4096"):
        builder.program(label)


@given(st.lists(st.tuples(WORDS, WORDS)))
def test_bytes_are_a_faithful_copy(fields: list[tuple[int, int]]) -> None:
    builder = FilterBuilder()
    label = builder.returns(0)
    for value, mask in fields:
        label = builder.if_equal(value, builder.returns(mask), label)
    program = builder.program(label)
    assert from_bytes(to_bytes(program)) == program
    assert len(to_bytes(program)) == 8 * len(program)
