# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""A program between ours and a stranger's: it executes what its arguments name, and is nobody's file.

While execve(2) looks for a program, and for the interpreter that the first line of a script names, /proc/self/exe is
the program of whoever calls it. Where that is a file that a stranger owns, he has it executed once more, by a link or
as the interpreter, and then writes to it (CVE-2019-5736). This one is in memory and sealed: it can be had.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Mapping, Sequence

from .errors import KernelError

_EXECUTABLE = 0x10  # MFD_EXEC (Linux 6.3), which a host may ask for by vm.memfd_noexec
_COMPLAINT = b"it cannot be executed in this jail: its format, its interpreter or its file capabilities\n"
_FAILED = 127
_BASE, _ALIGNMENT = 0x400000, 0x10000
_HEADERS = 64 + 2 * 56
_LOAD, _STACK = 1, 0x6474E551

# execve(argv[0], argv + 1, envp), by where the kernel puts them on the stack; then write(2, complaint, its length) and
# exit_group(127). The complaint follows the last instruction.
_CODE = {
    "x86_64": (
        62,
        bytes.fromhex("488b7c2408 488d742410 488b0424 488d54c410 b83b000000 0f05")
        + bytes.fromhex("bf02000000 488d3518000000 ba")
        + struct.pack("<I", len(_COMPLAINT))
        + bytes.fromhex("b801000000 0f05")
        + struct.pack("<BI", 0xBF, _FAILED)
        + bytes.fromhex("b8e7000000 0f05"),
    ),
    "aarch64": (
        183,
        struct.pack(
            "<14I",
            *(0xF94007E0, 0x910043E1, 0xF94003E2, 0x8B020C22, 0xD2801BA8, 0xD4000001),
            *(0xD2800040, 0x100000E1, 0xD2800002 | len(_COMPLAINT) << 5, 0xD2800808, 0xD4000001),
            *(0xD2800000 | _FAILED << 5, 0xD2800BC8, 0xD4000001),
        ),
    ),
}


def execute(path: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Become a program, by way of the stone. KernelError where there is no way.

    A program that the kernel then refuses is complained of on its standard error, with exit status 127.
    """
    stone = _lay(os.uname().machine)
    try:
        os.execve(stone, [path, *arguments], environment)
    except OSError as error:
        raise KernelError.from_os_error("execute in memory", path, error) from error


def program(machine: str) -> bytes:
    """The stone itself (elf(5)). KernelError ENOSYS for a processor that it is not written for."""
    if machine not in _CODE:
        raise KernelError("execute in memory", machine, errno.ENOSYS)
    number, code = _CODE[machine]
    body = code + _COMPLAINT
    size = _HEADERS + len(body)
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = struct.pack("<HHIQQQIHHHHHH", 2, number, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", _LOAD, 5, 0, _BASE, _BASE, size, size, _ALIGNMENT)
    stack = struct.pack("<IIQQQQQQ", _STACK, 6, 0, 0, 0, 0, 0, 16)
    return identity + header + load + stack + body


def _lay(machine: str) -> int:
    """Descriptor of the stone, which nobody changes any more."""
    content = program(machine)
    try:
        fd = _memory(_EXECUTABLE)
        os.write(fd, content)
        fcntl.fcntl(
            fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        )
    except OSError as error:
        raise KernelError.from_os_error("make in memory", "a program", error) from error
    return fd


def _memory(more: int) -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create("jail", flags | more)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.memfd_create("jail", flags)
