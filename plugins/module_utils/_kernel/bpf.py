# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import NamedTuple

from . import libc
from .errors import KernelError

# enum bpf_prog_type (linux/bpf.h).
SCHED_CLS, CGROUP_SKB, CGROUP_SOCK, CGROUP_DEVICE, RAW_TRACEPOINT, CGROUP_SOCK_ADDR = 3, 8, 9, 15, 17, 18

_MAP_CREATE, _MAP_LOOKUP, _RAW_TRACEPOINT_OPEN = 0, 1, 17
_PROG_LOAD, _PROG_ATTACH, _PROG_DETACH, _PROG_GET_FD_BY_ID, _OBJ_GET_INFO_BY_FD, _PROG_QUERY = 5, 8, 9, 13, 15, 16
_ARRAY = 2
_ALLOW_MULTI, _REPLACE = 2, 4
_INSTRUCTION_BYTES = 8
# prog_type, insn_cnt, insns, license, log_level, log_size, log_buf, kern_version, prog_flags, prog_name, prog_ifindex,
# expected_attach_type (bpf(2)).
_LOAD = struct.Struct("=IIQQIIQII16sII")
# target_fd, attach_bpf_fd, attach_type, attach_flags, replace_bpf_fd.
_ATTACH = struct.Struct("=IIIII")
# target_fd, attach_type, query_flags, attach_flags, prog_ids, prog_cnt, and the rest, which newer kernels know.
_QUERY = struct.Struct("=IIIIQI44x")
_INFO = struct.Struct("=IIQ")
_INFO_BYTES = 80
_MOST_PROGRAMS = 64
# The verifier gives up when a signal waits for us, whatever becomes of that (EAGAIN); libbpf tries as often.
_LOAD_ATTEMPTS = 5


class Program(NamedTuple):
    """A program that is attached to something: its number on this host, and its name."""

    id: int
    name: str


def load(kind: int, code: bytes, name: str, *, attach_type: int = 0) -> int:
    """Descriptor of a program that the kernel has verified; it lives as long as something is attached to it.

    ``name`` has up to 15 letters, digits, dots and underscores; ``attach_type`` is what the verifier judges a program
    for a control group by. KernelError EINVAL or EACCES: the verifier refused it.
    """
    instructions, licence = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    attributes = _LOAD.pack(
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
        0,
        attach_type,
    )
    for _unused in range(_LOAD_ATTEMPTS - 1):
        try:
            return _bpf("load", f"bpf program {name}", _PROG_LOAD, attributes)
        except KernelError as error:
            if error.errno != errno.EAGAIN:
                raise
    return _bpf("load", f"bpf program {name}", _PROG_LOAD, attributes)


def attach(target: int, program: int, attach_type: int, *, replaced: int | None = None) -> None:
    """Attach a program to a control group (a descriptor of its directory), beside those of others.

    One that is attached to it already is ``replaced`` by it, without a moment between them (Linux 5.6).
    """
    flags = _ALLOW_MULTI if replaced is None else _ALLOW_MULTI | _REPLACE
    attributes = _ATTACH.pack(target, program, attach_type, flags, replaced or 0)
    _bpf("attach", f"bpf program to hook {attach_type}", _PROG_ATTACH, attributes)


def detach(target: int, program: int, attach_type: int) -> None:
    """Detach one program from a control group."""
    attributes = _ATTACH.pack(target, program, attach_type, 0, 0)
    _bpf("detach", f"bpf program from hook {attach_type}", _PROG_DETACH, attributes)


def attached(target: int, attach_type: int) -> list[Program]:
    """Programs that are attached to a control group itself, not to those above it.

    KernelError EINVAL: the kernel does not have that hook.
    """
    ids = (ctypes.c_uint32 * _MOST_PROGRAMS)()
    query = ctypes.create_string_buffer(
        _QUERY.pack(target, attach_type, 0, 0, ctypes.addressof(ids), _MOST_PROGRAMS), _QUERY.size
    )
    _bpf("query", f"bpf programs of hook {attach_type}", _PROG_QUERY, query)
    count = _QUERY.unpack(query.raw)[5]
    return [Program(number, _name(number)) for number in ids[:count]]


def open_raw_tracepoint(program: int, name: str) -> int:
    """Descriptor of a link: the program runs at the tracepoint as long as it is open. KernelError ENOENT: no such."""
    letters = ctypes.create_string_buffer(name.encode())
    attributes = struct.pack("=QI4x", ctypes.addressof(letters), program)
    return _bpf("trace", name, _RAW_TRACEPOINT_OPEN, attributes)


def create_array(size: int) -> int:
    """Descriptor of a map: so many words (u32), all 0 at first, by their number."""
    return _bpf("make", "a bpf map", _MAP_CREATE, struct.pack("=IIIII", _ARRAY, 4, 4, size, 0))


def look_up(array: int, number: int) -> int:
    """A word of such a map."""
    key, value = ctypes.c_uint32(number), ctypes.c_uint32()
    pointers = (ctypes.addressof(key), ctypes.addressof(value))
    _bpf("look into", "a bpf map", _MAP_LOOKUP, struct.pack("=I4xQQQ", array, *pointers, 0))
    return value.value


def open_program(number: int) -> int:
    """Descriptor of a program by its number; KernelError ENOENT when it is gone."""
    return _bpf("open", f"bpf program {number}", _PROG_GET_FD_BY_ID, struct.pack("=III", number, 0, 0))


def _name(number: int) -> str:
    fd = open_program(number)
    try:
        info = ctypes.create_string_buffer(_INFO_BYTES)
        attributes = _INFO.pack(fd, _INFO_BYTES, ctypes.addressof(info))
        _bpf("look at", f"bpf program {number}", _OBJ_GET_INFO_BY_FD, attributes)
        return info.raw[64:80].rstrip(b"\0").decode("ascii", "replace")
    finally:
        os.close(fd)


def _bpf(operation: str, target: str, command: int, attributes: object) -> int:
    size = len(attributes)  # type: ignore[arg-type]
    return libc.syscall(operation, target, libc.number("bpf"), command, attributes, size)
