# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""eBPF programs (instruction-set.rst) written down by name: registers, loads and stores, jumps to labels."""

from __future__ import annotations

import struct
from typing import NamedTuple

# R0 is the result; a call takes R1 to R5 and spoils them, R6 to R9 survive it; R10 is the end of the stack.
R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, STACK = range(11)

_WORD, _DOUBLE, _PACKET_WORD = 0x61, 0x79, 0x20
_STORE_HALF, _STORE_WORD = 0x6B, 0x63
_MOVE, _MOVE_WORD, _COPY, _ADD, _AND_WORD = 0xB7, 0xB4, 0xBF, 0x07, 0x54
_JUMP, _CALL, _EXIT = 0x05, 0x85, 0x95
_EQUAL_WORD, _NOT_EQUAL_WORD, _EQUAL, _AT_LEAST = 0x16, 0x56, 0x15, 0x35
_WIDE, _REST_OF_WIDE, _MAP_BY_DESCRIPTOR = 0x18, 0x00, 1
_INSTRUCTION = struct.Struct("=BBhi")


class Label:
    """A place in a program that jumps lead to."""


class _Instruction(NamedTuple):
    operation: int
    target: int = 0
    source: int = 0
    offset: int = 0
    value: int = 0
    jump: Label | None = None


class Assembler:
    """Builds a program from its start to its end.

    What no path leads to is left out: the kernel's verifier refuses a program that has such instructions. Values are
    32 bits wide and compared as such, unless a method says otherwise.
    """

    def __init__(self) -> None:
        self._instructions: list[_Instruction] = []
        self._labels: dict[Label, int] = {}

    def place(self, label: Label) -> None:
        """The next instruction is where jumps to the label lead."""
        self._labels[label] = len(self._instructions)

    def move(self, target: int, value: int) -> None:
        """Register = value; the upper half becomes zero."""
        self._append(_MOVE_WORD, target=target, value=value)

    def move_signed(self, target: int, value: int) -> None:
        """All 64 bits of a register = value, which may be negative."""
        self._append(_MOVE, target=target, value=value)

    def copy(self, target: int, source: int) -> None:
        """Register = register, all 64 bits."""
        self._append(_COPY, target=target, source=source)

    def add(self, target: int, value: int) -> None:
        """Register += value, all 64 bits."""
        self._append(_ADD, target=target, value=value)

    def keep_bits(self, target: int, mask: int) -> None:
        """Register &= mask."""
        self._append(_AND_WORD, target=target, value=mask)

    def load_word(self, target: int, base: int, offset: int) -> None:
        """Register = the 32 bits that a pointer and an offset lead to."""
        self._append(_WORD, target=target, source=base, offset=offset)

    def load_pointer(self, target: int, base: int, offset: int) -> None:
        """Register = the 64 bits that a pointer and an offset lead to."""
        self._append(_DOUBLE, target=target, source=base, offset=offset)

    def load_map(self, target: int, fd: int) -> None:
        """Register = pointer to the map of a descriptor: an instruction with a place for 64 bits, which takes two."""
        self._append(_WIDE, target=target, source=_MAP_BY_DESCRIPTOR, value=fd)
        self._append(_REST_OF_WIDE)

    def load_packet(self, offset: int) -> None:
        """R0 = the 32 bits of the packet at an offset, in the host's byte order; R6 has to hold the context.

        The program ends there with verdict 0 if the packet is too short. R1 to R5 are spoiled, as by a call.
        """
        self._append(_PACKET_WORD, value=offset)

    def store_word(self, base: int, offset: int, source: int) -> None:
        """The 32 bits that a pointer and an offset lead to = register."""
        self._append(_STORE_WORD, target=base, source=source, offset=offset)

    def store_half(self, base: int, offset: int, source: int) -> None:
        """The 16 bits that a pointer and an offset lead to = register."""
        self._append(_STORE_HALF, target=base, source=source, offset=offset)

    def jump(self, label: Label) -> None:
        self._append(_JUMP, jump=label)

    def jump_if_equal(self, register: int, value: int, label: Label) -> None:
        self._append(_EQUAL_WORD, target=register, value=value, jump=label)

    def jump_if_other(self, register: int, value: int, label: Label) -> None:
        self._append(_NOT_EQUAL_WORD, target=register, value=value, jump=label)

    def jump_if_at_least(self, register: int, value: int, label: Label) -> None:
        """Compares all 64 bits, without a sign."""
        self._append(_AT_LEAST, target=register, value=value, jump=label)

    def jump_if_null(self, register: int, label: Label) -> None:
        """Compares all 64 bits, as the verifier wants it of a pointer."""
        self._append(_EQUAL, target=register, jump=label)

    def call(self, helper: int) -> None:
        """Call a function of the kernel (bpf-helpers(7)) by its number."""
        self._append(_CALL, value=helper)

    def exit(self) -> None:
        """End of the program; R0 is its verdict."""
        self._append(_EXIT)

    def code(self) -> bytes:
        """The program as an array of struct bpf_insn."""
        kept = sorted(self._reachable())
        position = {old: new for new, old in enumerate(kept)}
        return b"".join(self._encode(old, position) for old in kept)

    def _append(self, operation: int, **fields: int | Label) -> None:
        self._instructions.append(_Instruction(operation, **fields))  # type: ignore[arg-type]

    def _reachable(self) -> set[int]:
        reached: set[int] = set()
        ahead = [0]
        while ahead:
            here = ahead.pop()
            if here in reached:
                continue
            reached.add(here)
            instruction = self._instructions[here]
            if instruction.jump is not None:
                ahead.append(self._labels[instruction.jump])
            if instruction.operation not in (_JUMP, _EXIT):
                ahead.append(here + 1)
        return reached

    def _encode(self, old: int, position: dict[int, int]) -> bytes:
        operation, target, source, offset, value, jump = self._instructions[old]
        if jump is not None:
            offset = position[self._labels[jump]] - position[old] - 1
        signed = value - (1 << 32) if value >= 1 << 31 else value
        return _INSTRUCTION.pack(operation, target | source << 4, offset, signed)
