# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Union

from .bpf_filter import FilterBuilder, Label, to_bytes
from .syscall_numbers import numbers

ALLOW = 0x7FFF0000
_ERRNO = 0x00050000

# struct seccomp_data: nr, arch, instruction pointer, then six 64-bit arguments.
_OFFSET_OF_NUMBER = 0
_OFFSET_OF_ARCHITECTURE = 4
_OFFSET_OF_ARGUMENTS = 16

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


Verdict = Union[int, ArgumentTest]


def compile_filter(verdicts: Mapping[str, Verdict], *, architecture: str) -> bytes:
    """A seccomp filter that gives each named system call its verdict, as an array of struct sock_filter.

    Everything else fails with ENOSYS, as on a kernel that lacks it, so that programs fall back: calls that are newer
    than our table, and calls by way of another architecture (32-bit programs, x32). Names that ``architecture`` does
    not have are passed over. ValueError for an architecture other than x86_64 and aarch64.
    """
    if architecture not in AUDIT_ARCHITECTURES:
        raise ValueError(f"no system call numbers for {architecture}")
    builder = FilterBuilder()
    unknown = refuse(errno.ENOSYS)
    search = _place_search(builder, _ranges(verdicts, architecture=architecture, unknown=unknown))
    start = builder.load(
        _OFFSET_OF_ARCHITECTURE,
        builder.if_equal(
            AUDIT_ARCHITECTURES[architecture], builder.load(_OFFSET_OF_NUMBER, search), builder.returns(unknown)
        ),
    )
    return to_bytes(builder.program(start))


def _ranges(verdicts: Mapping[str, Verdict], *, architecture: str, unknown: int) -> list[tuple[int, Verdict]]:
    """The verdicts as ranges of numbers: (first number, verdict), each up to the next one, the last one endless."""
    by_number = {number: verdicts.get(name, unknown) for name, number in numbers(architecture).items()}
    ranges: list[tuple[int, Verdict]] = []
    for number in range(max(by_number) + 2):
        verdict = by_number.get(number, unknown)
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
    if verdict.bits:
        label = builder.if_any_bit(verdict.bits, then, label)
    for value in reversed(verdict.values):
        label = builder.if_equal(value, then, label)
    return builder.load(_OFFSET_OF_ARGUMENTS + 8 * verdict.argument, label)
