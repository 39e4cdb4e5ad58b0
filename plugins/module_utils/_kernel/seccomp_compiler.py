# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Union

from .bpf_filter import FilterBuilder, Label, to_bytes
from .syscall_numbers import numbers

ALLOW = 0x7FFF0000
LOG = 0x7FFC0000
TRAP = 0x00030000
KILL_THREAD = 0x00000000
KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_ALL_BITS = 0xFFFFFFFFFFFFFFFF
_WORD = 0xFFFFFFFF

# struct seccomp_data: nr, arch, instruction pointer, then six 64-bit arguments.
_OFFSET_OF_NUMBER = 0
_OFFSET_OF_ARCHITECTURE = 4
_OFFSET_OF_ARGUMENTS = 16

# __X32_SYSCALL_BIT; no number of aarch64 is that high.
_X32_BIT = 0x40000000

# AUDIT_ARCH_* of include/uapi/linux/audit.h. Both are little-endian: the low word of an argument comes first.
AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def refuse(number: int) -> int:
    """The verdict that makes a system call fail with an errno."""
    return _ERRNO | number


@dataclass(frozen=True)
class ArgumentTest:
    """A verdict that depends on one argument: equal to one of ``values``, or with one of ``bits`` set.

    Looks at the low 32 bits only. The kernel itself truncates ioctl commands, socket domains, personalities and the
    flags of clone(2) to them, so a filter that compares 64 bits is passed by with a high bit set.
    """

    argument: int
    then: Verdict
    otherwise: Verdict
    values: tuple[int, ...] = ()
    bits: int = 0


class Comparison(NamedTuple):
    """One condition on all 64 bits of an argument, in the words of seccomp_rule_add(3).

    ``operator`` is one of ne, lt, le, eq, ge, gt and masked_eq, which compares ``value`` with the bits of ``mask``.
    """

    argument: int
    operator: str
    value: int
    mask: int = _ALL_BITS


@dataclass(frozen=True)
class Conditions:
    """A verdict that depends on several comparisons: ``then`` where all of them hold."""

    comparisons: tuple[Comparison, ...]
    then: Verdict
    otherwise: Verdict


Verdict = Union[int, ArgumentTest, Conditions]


def compile_filter(verdicts: Mapping[str, Verdict], *, architecture: str, default: int | None = None) -> bytes:
    """A seccomp filter that gives each named system call its verdict, as an array of struct sock_filter.

    Everything else gets ``default``. Without one it fails with ENOSYS, as on a kernel that lacks it, so that programs
    fall back: calls that are newer than our table. Calls by way of another architecture (32-bit programs, x32) always
    fail so. Names that ``architecture`` does not have are passed over. ValueError for an architecture other than x86_64
    and aarch64.
    """
    if architecture not in AUDIT_ARCHITECTURES:
        raise ValueError(f"no system call numbers for {architecture}")
    builder = FilterBuilder()
    unknown = refuse(errno.ENOSYS)
    ranges = _ranges(verdicts, architecture=architecture, default=unknown if default is None else default)
    if default is not None:
        ranges.append((_X32_BIT, unknown))
    search = _place_search(builder, ranges)
    start = builder.load(
        _OFFSET_OF_ARCHITECTURE,
        builder.if_equal(
            AUDIT_ARCHITECTURES[architecture], builder.load(_OFFSET_OF_NUMBER, search), builder.returns(unknown)
        ),
    )
    return to_bytes(builder.program(start))


def _ranges(verdicts: Mapping[str, Verdict], *, architecture: str, default: int) -> list[tuple[int, Verdict]]:
    """The verdicts as ranges of numbers: (first number, verdict), each up to the next one, the last one endless."""
    by_number = {number: verdicts.get(name, default) for name, number in numbers(architecture).items()}
    ranges: list[tuple[int, Verdict]] = []
    for number in range(max(by_number) + 2):
        verdict = by_number.get(number, default)
        if not ranges or ranges[-1][1] != verdict:
            ranges.append((number, verdict))
    return ranges


def _place_search(builder: FilterBuilder, ranges: list[tuple[int, Verdict]]) -> Label:
    """A binary search: ten comparisons at most for a thousand ranges."""
    if len(ranges) == 1:
        return _place_verdict(builder, ranges[0][1])
    middle = len(ranges) // 2
    upper = _place_search(builder, ranges[middle:])
    lower = _place_search(builder, ranges[:middle])
    return builder.if_at_least(ranges[middle][0], upper, lower)


def _place_verdict(builder: FilterBuilder, verdict: Verdict) -> Label:
    if isinstance(verdict, int):
        return builder.returns(verdict)
    then = _place_verdict(builder, verdict.then)
    label = _place_verdict(builder, verdict.otherwise)
    if isinstance(verdict, Conditions):
        otherwise, label = label, then
        for comparison in reversed(verdict.comparisons):
            label = _place_comparison(builder, comparison, then=label, otherwise=otherwise)
        return label
    if verdict.bits:
        label = builder.if_any_bit(verdict.bits, then, label)
    for value in reversed(verdict.values):
        label = builder.if_equal(value, then, label)
    return builder.load(_OFFSET_OF_ARGUMENTS + 8 * verdict.argument, label)


def _place_comparison(builder: FilterBuilder, comparison: Comparison, *, then: Label, otherwise: Label) -> Label:
    """Two words, the high one first; each of the seven is equality or order, perhaps with its outcomes swapped."""
    operator, value = comparison.operator, comparison.value
    if operator in ("ne", "lt", "le"):
        then, otherwise = otherwise, then
    low_offset = _OFFSET_OF_ARGUMENTS + 8 * comparison.argument
    if operator in ("eq", "ne", "masked_eq"):
        mask = comparison.mask if operator == "masked_eq" else _ALL_BITS
        low = _place_word(builder, low_offset, mask & _WORD, builder.if_equal(value & _WORD, then, otherwise))
        return _place_word(builder, low_offset + 4, mask >> 32, builder.if_equal(value >> 32, low, otherwise))
    if operator in ("gt", "le"):  # more than N is N + 1 or more
        value += 1
        if value > _ALL_BITS:
            return otherwise
    high, rest = value >> 32, builder.load(low_offset, builder.if_at_least(value & _WORD, then, otherwise))
    beyond = otherwise if high == _WORD else builder.if_at_least(high + 1, then, otherwise)
    return builder.load(low_offset + 4, builder.if_equal(high, rest, beyond))


def _place_word(builder: FilterBuilder, offset: int, mask: int, then: Label) -> Label:
    return builder.load(offset, then if mask == _WORD else builder.keep_bits(mask, then))
