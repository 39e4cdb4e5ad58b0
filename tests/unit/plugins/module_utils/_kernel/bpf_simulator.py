# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An interpreter for classic BPF filters, as the kernel runs them: proves a filter without loading it."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ansible_collections.hosting.jails.plugins.module_utils._kernel.bpf_filter import (
    AND,
    JUMP,
    JUMP_ANY_BIT,
    JUMP_AT_LEAST,
    JUMP_EQUAL,
    LOAD_WORD,
    RETURN,
    Instruction,
    from_bytes,
)

CONDITIONS = {
    JUMP_EQUAL: lambda accumulator, value: accumulator == value,
    JUMP_AT_LEAST: lambda accumulator, value: accumulator >= value,
    JUMP_ANY_BIT: lambda accumulator, value: accumulator & value != 0,
}


def simulate(program: bytes, *, architecture: int, number: int, arguments: Sequence[int] = ()) -> int:
    """The verdict of a seccomp filter on one system call; arguments are 64-bit words, missing ones are zero."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, architecture, 0, *(word & 0xFFFFFFFFFFFFFFFF for word in padded))
    return run(from_bytes(program), data)[0]


def run(instructions: Sequence[Instruction], data: bytes) -> tuple[int, int]:
    """The verdict and the number of instructions that it took; raises for what the kernel's checker refuses."""
    accumulator = 0
    position = 0
    steps = 0
    while True:
        code, on_true, on_false, value = instructions[position]
        position += 1
        steps += 1
        if code == RETURN:
            return value, steps
        if code == LOAD_WORD:
            if value % 4:
                raise ValueError(f"load from offset {value}, which is not aligned")
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif code == AND:
            accumulator &= value
        elif code == JUMP:
            position += value
        else:
            position += on_true if CONDITIONS[code](accumulator, value) else on_false
