# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import struct
from typing import NamedTuple

# Opcodes of classic BPF (include/uapi/linux/bpf_common.h).
LOAD_WORD = 0x20
AND = 0x54
JUMP = 0x05
JUMP_EQUAL = 0x15
JUMP_AT_LEAST = 0x35
JUMP_ANY_BIT = 0x45
RETURN = 0x06

_LONGEST_CONDITIONAL_JUMP = 255
_MOST_INSTRUCTIONS = 4096


class Instruction(NamedTuple):
    """One sock_filter: both jumps count the instructions to skip."""

    code: int
    on_true: int
    on_false: int
    value: int


class Label(int):
    """An instruction of the program under construction, counted from the program's end."""


class FilterBuilder:
    """Builds a classic BPF program from its end to its start.

    Classic BPF jumps forward only, so whatever an instruction continues with exists before the instruction does: every
    method names its successors by their labels and returns its own. Equal instructions with equal successors become
    one. Conditional jumps reach 255 instructions; farther ones get a stepping stone.
    """

    def __init__(self) -> None:
        self._reversed: list[Instruction] = []
        self._known: dict[tuple[int, int, int, int], Label] = {}

    def returns(self, value: int) -> Label:
        """End of the program with a verdict."""
        return self._plain(RETURN, value, None)

    def load(self, offset: int, then: Label) -> Label:
        """Accumulator = the 32-bit word at ``offset`` of the data."""
        return self._plain(LOAD_WORD, offset, then)

    def keep_bits(self, mask: int, then: Label) -> Label:
        """Accumulator &= mask."""
        return self._plain(AND, mask, then)

    def if_equal(self, value: int, then: Label, otherwise: Label) -> Label:
        """Continue with ``then`` if the accumulator is ``value``."""
        return self._branch(JUMP_EQUAL, value, then, otherwise)

    def if_at_least(self, value: int, then: Label, otherwise: Label) -> Label:
        """Continue with ``then`` if the accumulator, unsigned, is ``value`` or more."""
        return self._branch(JUMP_AT_LEAST, value, then, otherwise)

    def if_any_bit(self, mask: int, then: Label, otherwise: Label) -> Label:
        """Continue with ``then`` if the accumulator has at least one bit of ``mask``."""
        return self._branch(JUMP_ANY_BIT, mask, then, otherwise)

    def program(self, start: Label) -> tuple[Instruction, ...]:
        """The instructions from ``start`` on; ValueError for more than the kernel accepts (BPF_MAXINSNS)."""
        instructions = tuple(reversed(self._reversed[: start + 1]))
        if len(instructions) > _MOST_INSTRUCTIONS:
            raise ValueError(f"the filter has {len(instructions)} instructions, the kernel takes {_MOST_INSTRUCTIONS}")
        return instructions

    def _plain(self, code: int, value: int, then: Label | None) -> Label:
        key = (code, value, -1 if then is None else then, -1)
        if key in self._known:
            return self._known[key]
        if then is not None and then != self._newest():
            self._jump_to(then)
        return self._append(Instruction(code, 0, 0, value), key)

    def _branch(self, code: int, value: int, then: Label, otherwise: Label) -> Label:
        if then == otherwise:
            return then
        key = (code, value, then, otherwise)
        if key in self._known:
            return self._known[key]
        # One instruction in reserve: a stepping stone for the second target would push the first one farther away.
        near_then = self._within_reach(then, reserve=1)
        near_otherwise = self._within_reach(otherwise, reserve=0)
        newest = self._newest()
        return self._append(Instruction(code, newest - near_then, newest - near_otherwise, value), key)

    def _within_reach(self, target: Label, *, reserve: int) -> Label:
        reach = _LONGEST_CONDITIONAL_JUMP - reserve
        if self._newest() - target <= reach:
            return target
        instruction = self._reversed[target]
        ends = instruction.code == RETURN
        key = (RETURN, instruction.value, -1, -1) if ends else (JUMP, 0, target, -1)
        known = self._known.get(key)
        if known is not None and self._newest() - known <= reach:
            return known
        return self._append(instruction, key) if ends else self._jump_to(target)

    def _jump_to(self, target: Label) -> Label:
        return self._append(Instruction(JUMP, 0, 0, self._newest() - target), (JUMP, 0, target, -1))

    def _append(self, instruction: Instruction, key: tuple[int, int, int, int]) -> Label:
        self._reversed.append(instruction)
        self._known[key] = self._newest()
        return self._newest()

    def _newest(self) -> Label:
        return Label(len(self._reversed) - 1)


def to_bytes(instructions: tuple[Instruction, ...]) -> bytes:
    """An array of struct sock_filter in the machine's byte order."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def from_bytes(program: bytes) -> tuple[Instruction, ...]:
    """The instructions of an array of struct sock_filter."""
    return tuple(Instruction(*fields) for fields in struct.iter_unpack("=HBBI", program))
