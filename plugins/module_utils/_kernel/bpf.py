# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import ctypes
import errno
import os
import struct

from . import libc
from .errors import KernelError

SCHED_CLS = 3
_BPF_PROG_LOAD = 5
_INSTRUCTION_BYTES = 8
# prog_type, insn_cnt, insns, license, log_level, log_size, log_buf, kern_version, prog_flags, prog_name (bpf(2)).
_ATTRIBUTES = struct.Struct("=IIQQIIQII16s")


def load(kind: int, code: bytes, name: str) -> int:
    """Descriptor of a program that the kernel has verified; it lives as long as something is attached to it.

    ``name`` has up to 15 letters, digits, dots and underscores. KernelError EINVAL or EACCES: the verifier refused it.
    """
    from .syscall_numbers import numbers  # A long table, which only this rare call needs.

    machine = os.uname().machine
    try:
        number = numbers(machine)["bpf"]
    except KeyError as error:
        raise KernelError("look up system call bpf", machine, errno.ENOSYS) from error
    instructions, licence = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    attributes = _ATTRIBUTES.pack(
        kind,
        len(code) // _INSTRUCTION_BYTES,
        ctypes.addressof(instructions),
        ctypes.addressof(licence),
        0,
        0,
        0,
        0,
        0,
        name.encode(),
    )
    return libc.syscall("load", f"bpf program {name}", number, _BPF_PROG_LOAD, attributes, len(attributes))
