# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel.bpf_assembler import (
    R0,
    R1,
    R2,
    R6,
    STACK,
    Assembler,
    Label,
)
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._kernel import ebpf_simulator as simulator
from hypothesis import given
from hypothesis import strategies as st


def context(*words: int, writable: tuple[int, ...] = ()) -> simulator.Region:
    return simulator.Region("context", bytearray(b"".join(word.to_bytes(4, "little") for word in words)), writable)


def verdict(program: Assembler, *words: int, writable: tuple[int, ...] = ()) -> int:
    return simulator.Machine(context(*words, writable=writable)).run(program.code()).verdict


def ending(value: int) -> Assembler:
    program = Assembler()
    program.move(R0, value)
    program.exit()
    return program


def test_instructions_are_encoded_as_the_kernel_documents_them() -> None:
    program = Assembler()
    program.load_word(R2, R1, 24)
    program.store_half(STACK, -16, R2)
    program.call(64)
    program.exit()
    assert program.code().hex(" ", 8) == "6112180000000000 6b2af0ff00000000 8500000040000000 9500000000000000"


@given(st.integers(0, 0xFFFFFFFF))
def test_values_have_32_bits_without_a_sign(value: int) -> None:
    assert verdict(ending(value)) == value


@given(st.integers(-(1 << 31), -1))
def test_negative_values_have_64_bits(value: int) -> None:
    program = Assembler()
    program.move_signed(R0, value)
    program.exit()
    assert verdict(program) == value & 0xFFFFFFFFFFFFFFFF


@given(word=st.integers(0, 0xFFFFFFFF), value=st.integers(0, 0xFFFFFFFF))
def test_jumps_compare_32_bits(word: int, value: int) -> None:
    program, same = Assembler(), Label()
    program.load_word(R6, R1, 0)
    program.jump_if_equal(R6, value, same)
    program.move(R0, 0)
    program.exit()
    program.place(same)
    program.move(R0, 1)
    program.exit()
    assert verdict(program, word) == (word == value)


def test_what_nothing_leads_to_is_left_out() -> None:
    program, end = Assembler(), Label()
    program.jump(end)
    program.move(R0, 1)
    program.exit()
    program.place(end)
    program.move(R0, 2)
    program.exit()
    assert len(program.code()) == 3 * 8
    assert verdict(program) == 2


def test_jumps_lead_back_too() -> None:
    program, here, there = Assembler(), Label(), Label()
    program.jump(there)
    program.place(here)
    program.move(R0, 5)
    program.exit()
    program.place(there)
    program.jump(here)
    assert verdict(program) == 5


def _reads_without_a_value() -> Assembler:
    program = Assembler()
    program.copy(R0, R6)
    program.exit()
    return program


def _reads_the_stack_first() -> Assembler:
    program = Assembler()
    program.load_word(R0, STACK, -4)
    program.exit()
    return program


def _reads_beyond() -> Assembler:
    program = Assembler()
    program.load_word(R0, R1, 4)
    program.exit()
    return program


def _reads_after_a_call() -> Assembler:
    program = Assembler()
    program.move_signed(R1, -1)
    program.call(simulator.SET_RETURN_VALUE)
    program.copy(R0, R1)
    program.exit()
    return program


def _writes_what_is_read_only() -> Assembler:
    program = Assembler()
    program.move(R0, 1)
    program.store_word(R1, 0, R0)
    program.exit()
    return program


@pytest.mark.parametrize(
    "wrong",
    [
        _reads_without_a_value,
        _reads_the_stack_first,
        _reads_beyond,
        _reads_after_a_call,
        _writes_what_is_read_only,
    ],
)
def test_the_simulator_refuses_what_the_verifier_refuses(wrong: object) -> None:
    with pytest.raises(simulator.Refused):
        verdict(wrong(), 7)  # type: ignore[operator]


def test_the_simulator_writes_what_may_be_written() -> None:
    program = Assembler()
    program.move(R0, 9)
    program.store_word(R1, 0, R0)
    program.exit()
    region = context(7, writable=(0,))
    simulator.Machine(region).run(program.code())
    assert region.data == (9).to_bytes(4, "little")
