# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The program that the kernel asks whenever a process of a control group opens or makes a device node.

It allows what is listed and refuses the rest, wherever the node is and however it came there.
"""

from __future__ import annotations

from functools import lru_cache

from .bpf_assembler import R0, R1, R2, R3, R4, R5, Assembler, Label
from .cgroup_devices import ALL_ACCESS, Rule

# struct bpf_cgroup_dev_ctx (linux/bpf.h): what is asked for in the upper half, the type of the device in the lower.
_ACCESS_TYPE, _MAJOR, _MINOR = 0, 4, 8
_BLOCK, _CHARACTER = 1, 2
_TYPE_BITS, _ACCESS_SHIFT = 0xFFFF, 16
_REFUSE, _ALLOW = 0, 1


@lru_cache(maxsize=64)
def program(rules: tuple[Rule, ...]) -> bytes:
    """Instructions (eBPF, type CGROUP_DEVICE) that allow what one of the rules allows whole.

    Most jails of a host have the same.
    """
    code, allowed = Assembler(), Label()
    code.load_word(R2, R1, _ACCESS_TYPE)
    code.load_word(R3, R1, _MAJOR)
    code.load_word(R4, R1, _MINOR)
    for rule in rules:
        _add(code, rule, allowed)
    code.move(R0, _REFUSE)
    code.exit()
    code.place(allowed)
    code.move(R0, _ALLOW)
    code.exit()
    return code.code()


def _add(code: Assembler, rule: Rule, allowed: Label) -> None:
    """One compare tells both that the type is right and that nothing is asked for that the rule does not give."""
    other = Label()
    code.copy(R5, R2)
    code.keep_bits(R5, _TYPE_BITS | (ALL_ACCESS & ~rule.access) << _ACCESS_SHIFT)
    code.jump_if_other(R5, _BLOCK if rule.block else _CHARACTER, other)
    code.jump_if_other(R3, rule.major, other)
    if rule.minor is None:
        code.jump(allowed)
    else:
        code.jump_if_equal(R4, rule.minor, allowed)
    code.place(other)
