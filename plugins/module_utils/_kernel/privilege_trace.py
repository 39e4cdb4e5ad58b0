# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What the processes of some users ask the kernel for: capabilities that they were given, system calls that they made.

Two BPF programs that mark what they see in a map. Nothing else is touched, and all of it goes with its descriptors.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from . import bpf
from .bpf_assembler import R0, R1, R2, R6, R7, STACK, Assembler, Label

_LOOK_UP, _OWN_IDS, _OWN_NAME = 1, 15, 16

# The map: a word for each capability, and behind them one for each system call.
_CALLS = 64
_MOST_CALLS = 1024
_UID = 0xFFFFFFFF
_COMPARED_LETTERS = 12


class Seen(NamedTuple):
    """Numbers of capabilities that were asked for and given, and of system calls that no filter has refused."""

    capabilities: frozenset[int]
    calls: frozenset[int]


class Trace:
    """What is seen from now on. ``read`` tells it any time."""

    def __init__(self, fd: int) -> None:
        self._map = fd

    def read(self) -> Seen:
        """All that was seen so far."""
        marked = [number for number in range(_CALLS + _MOST_CALLS) if bpf.look_up(self._map, number)]
        return Seen(
            frozenset(number for number in marked if number < _CALLS),
            frozenset(number - _CALLS for number in marked if number >= _CALLS),
        )


@contextlib.contextmanager
def tracing(users: range, *, but: str) -> Iterator[Trace]:
    """Trace the processes of some uids for the length of a block.

    Processes that are called ``but`` (twelve letters or more, PR_SET_NAME) are left out. Every question for a
    capability comes to cap_capable, and a call that a filter refuses does not come as far as sys_enter.
    KernelError ENOENT: a kernel before Linux 6.14, which tells nobody.
    """
    with contextlib.ExitStack() as stack:
        marks = bpf.create_array(_CALLS + _MOST_CALLS)
        stack.callback(os.close, marks)
        # Credentials, target namespace, namespace of the capability, capability, result; and registers, number.
        checks = _program(marks, users, but, word=3, result=4)
        calls = _program(marks, users, but, word=1, offset=_CALLS)
        for code, tracepoint in ((checks, "cap_capable"), (calls, "sys_enter")):
            stack.callback(os.close, _attach(code, tracepoint))
        yield Trace(marks)


def _program(marks: int, users: range, but: str, *, word: int, offset: int = 0, result: int | None = None) -> bytes:
    """Mark a word of the context in the map, where the result is 0 and the process is one of those to be traced."""
    code, out = Assembler(), Label()
    counted = Label()
    code.copy(R6, R1)
    code.call(_OWN_IDS)
    # The group is in the upper half. What is below the first one becomes very large.
    code.keep_bits(R0, _UID)
    code.add(R0, -users.start)
    code.jump_if_at_least(R0, len(users), out)
    if result is not None:
        code.load_pointer(R7, R6, 8 * result)
        code.jump_if_other(R7, 0, out)
    _leave_out(code, but, counted, out)
    code.place(counted)
    code.load_pointer(R7, R6, 8 * word)
    code.add(R7, offset)
    code.store_word(STACK, -4, R7)
    code.copy(R2, STACK)
    code.add(R2, -4)
    code.load_map(R1, marks)
    code.call(_LOOK_UP)
    code.jump_if_null(R0, out)
    code.move(R1, 1)
    code.store_word(R0, 0, R1)
    code.place(out)
    code.move(R0, 0)
    code.exit()
    return code.code()


def _leave_out(code: Assembler, name: str, counted: Label, out: Label) -> None:
    code.copy(R1, STACK)
    code.add(R1, -24)
    code.move(R2, 16)
    code.call(_OWN_NAME)
    letters = name.encode()[:_COMPARED_LETTERS]
    for position in range(0, _COMPARED_LETTERS, 4):
        code.load_word(R7, STACK, position - 24)
        code.jump_if_other(R7, int.from_bytes(letters[position : position + 4], "little"), counted)
    code.jump(out)


def _attach(code: bytes, tracepoint: str) -> int:
    """Descriptor of a link: the program runs as long as it is open."""
    program = bpf.load(bpf.RAW_TRACEPOINT, code, "jails_learn")
    try:
        return bpf.open_raw_tracepoint(program, tracepoint)
    finally:
        os.close(program)
