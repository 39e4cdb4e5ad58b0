# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
from functools import cache

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel.bpf_filter import from_bytes
from ansible_collections.hosting.jails.plugins.module_utils._kernel.seccomp_compiler import (
    ALLOW,
    AUDIT_ARCHITECTURES,
    ArgumentTest,
    Verdict,
    compile_filter,
    refuse,
)
from ansible_collections.hosting.jails.plugins.module_utils._kernel.syscall_numbers import numbers
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._kernel.bpf_simulator import simulate
from hypothesis import given, settings
from hypothesis import strategies as st

EPERM = refuse(errno.EPERM)
ENOSYS = refuse(errno.ENOSYS)
ARCHITECTURES = sorted(AUDIT_ARCHITECTURES)
FOREIGN = (0x40000003, 0xC000003E ^ 0x80000000, 0x40000028, 0xC00000F3, 0, 0xFFFFFFFF)
X32_BIT = 0x40000000

WORDS = st.integers(0, 0xFFFFFFFF)
LONG_WORDS = st.integers(0, 0xFFFFFFFFFFFFFFFF)
PLAIN = st.sampled_from([ALLOW, EPERM, ENOSYS, refuse(errno.EAFNOSUPPORT)])
VERDICTS: st.SearchStrategy[Verdict] = st.recursive(
    PLAIN,
    lambda inner: st.builds(
        ArgumentTest,
        argument=st.integers(0, 5),
        then=inner,
        otherwise=inner,
        values=st.lists(st.integers(0, 8), max_size=4).map(tuple),
        bits=st.sampled_from([0, 1, 6, 0x7E020000]),
    ),
    max_leaves=6,
)


def policies(architecture: str) -> st.SearchStrategy[dict[str, Verdict]]:
    return st.dictionaries(st.sampled_from(sorted(numbers(architecture))), VERDICTS)


def expected(verdict: Verdict, arguments: list[int]) -> int:
    """The oracle: what a verdict means, in plain Python."""
    while isinstance(verdict, ArgumentTest):
        word = arguments[verdict.argument] & 0xFFFFFFFF
        holds = word in verdict.values or word & verdict.bits
        verdict = verdict.then if holds else verdict.otherwise
    return verdict


@cache
def filter_that_allows_everything(architecture: str) -> bytes:
    return compile_filter(dict.fromkeys(numbers(architecture), ALLOW), architecture=architecture)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_a_filter_gives_every_number_the_verdict_of_its_name(architecture: str, data: st.DataObject) -> None:
    policy = data.draw(policies(architecture))
    program = compile_filter(policy, architecture=architecture)
    names = {number: name for name, number in numbers(architecture).items()}
    interesting = [numbers(architecture)[name] for name in policy]
    near = st.sampled_from(interesting) if interesting else st.integers(0, 500)
    for _unused in range(10):
        number = data.draw(st.one_of(near, st.integers(0, 600), WORDS))
        arguments = data.draw(st.lists(st.one_of(st.integers(0, 8), LONG_WORDS), min_size=6, max_size=6))
        want = expected(policy.get(names.get(number, ""), ENOSYS), arguments)
        native = AUDIT_ARCHITECTURES[architecture]
        assert simulate(program, architecture=native, number=number, arguments=arguments) == want


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_filter_knows_the_whole_table(architecture: str) -> None:
    table = numbers(architecture)
    policy = {name: refuse(1 + index % 100) for index, name in enumerate(sorted(table))}
    program = compile_filter(policy, architecture=architecture)
    for name, number in table.items():
        assert simulate(program, architecture=AUDIT_ARCHITECTURES[architecture], number=number) == policy[name]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("foreign", FOREIGN)
@given(number=WORDS)
def test_no_call_of_another_architecture_passes(architecture: str, foreign: int, number: int) -> None:
    program = filter_that_allows_everything(architecture)
    assert simulate(program, architecture=foreign, number=number) == ENOSYS


@given(number=st.integers(0, 0xFFFF))
def test_no_x32_call_passes(number: int) -> None:
    program = filter_that_allows_everything("x86_64")
    native = AUDIT_ARCHITECTURES["x86_64"]
    assert simulate(program, architecture=native, number=number | X32_BIT) == ENOSYS


@given(high=st.integers(1, 0xFFFFFFFF), argument=st.integers(0, 5))
def test_high_words_of_arguments_change_nothing(high: int, argument: int) -> None:
    policy: dict[str, Verdict] = {"ioctl": ArgumentTest(argument, values=(0x5412,), then=EPERM, otherwise=ALLOW)}
    program = compile_filter(policy, architecture="x86_64")
    arguments = [0] * 6
    arguments[argument] = 0x5412 | high << 32
    number = numbers("x86_64")["ioctl"]
    native = AUDIT_ARCHITECTURES["x86_64"]
    assert simulate(program, architecture=native, number=number, arguments=arguments) == EPERM


def test_a_filter_for_an_architecture_without_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="riscv64"):
        compile_filter({}, architecture="riscv64")


def test_names_that_an_architecture_lacks_are_passed_over() -> None:
    assert compile_filter({"open": ALLOW}, architecture="aarch64") == compile_filter({}, architecture="aarch64")


def test_the_worst_filter_stays_small() -> None:
    """A verdict of its own for each call is the most that a policy can ask for."""
    policy = {name: refuse(number % 4095) for name, number in numbers("x86_64").items()}
    assert len(from_bytes(compile_filter(policy, architecture="x86_64"))) < 1024
