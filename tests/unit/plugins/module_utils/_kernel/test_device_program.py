# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that decides on devices, played on contexts as the kernel lays them out (struct bpf_cgroup_dev_ctx)."""

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroup_devices import MAKE, READ, WRITE, Rule
from ansible_collections.hosting.jails.plugins.module_utils._kernel.device_program import program
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._kernel import ebpf_simulator as simulator
from hypothesis import given
from hypothesis import strategies as st

BLOCK, CHARACTER = 1, 2
NULL = Rule(block=False, major=1, minor=3, access=READ | WRITE | MAKE)
TERMINALS = Rule(block=False, major=136, minor=None, access=READ | WRITE)
VOLUME = Rule(block=True, major=253, minor=7, access=READ)
RULES = (NULL, TERMINALS, VOLUME)
ACCESS = st.integers(1, 7)
MINORS = st.one_of(st.sampled_from([3, 7]), st.integers(0, (1 << 20) - 1))


def allows(rules: tuple[Rule, ...], kind: int, major: int, minor: int, access: int) -> bool:
    words = (access << 16 | kind, major, minor)
    context = simulator.Region("context", bytearray(b"".join(word.to_bytes(4, "little") for word in words)))
    return simulator.Machine(context).run(program(rules)).verdict == 1


@pytest.mark.parametrize("access", [READ, WRITE, MAKE, READ | WRITE])
def test_a_listed_device_opens_for_what_is_listed(access: int) -> None:
    assert allows(RULES, CHARACTER, 1, 3, access)
    assert allows(RULES, BLOCK, 253, 7, access) is (access == READ)


def test_a_rule_without_a_minor_is_for_all_of_a_driver() -> None:
    assert all(allows(RULES, CHARACTER, 136, minor, READ | WRITE) for minor in (0, 1, 1048575))
    assert not allows(RULES, CHARACTER, 136, 0, MAKE)


def test_the_same_numbers_of_the_other_type_are_another_device() -> None:
    assert not allows(RULES, BLOCK, 1, 3, READ)
    assert not allows(RULES, CHARACTER, 253, 7, READ)


@given(st.sampled_from([BLOCK, CHARACTER]), st.integers(0, 4095), MINORS, ACCESS)
def test_without_a_rule_nothing_opens(kind: int, major: int, minor: int, access: int) -> None:
    assert not allows((), kind, major, minor, access)


RULE = st.builds(
    Rule,
    block=st.booleans(),
    major=st.integers(0, 5),
    minor=st.one_of(st.none(), st.integers(0, 3)),
    access=ACCESS,
)


@given(
    st.lists(RULE, max_size=12),
    st.sampled_from([BLOCK, CHARACTER]),
    st.integers(0, 5),
    st.integers(0, 3),
    ACCESS,
)
def test_what_opens_is_what_one_of_the_rules_gives_whole(
    rules: list[Rule], kind: int, major: int, minor: int, access: int
) -> None:
    expected = any(
        rule.block == (kind == BLOCK)
        and rule.major == major
        and rule.minor in (None, minor)
        and access & ~rule.access == 0
        for rule in rules
    )
    assert allows(tuple(rules), kind, major, minor, access) is expected
