# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""A process that is nothing but a target: a program of its own, that waits.

A fork of the engine would not do. It is undumpable, as it must be near a jail, so that whoever fails to trace it has
proven nothing. This one is made from nothing, and whoever has power over it may look into it as he likes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import struct
from collections.abc import Callable, Iterator

from ..._kernel import processes
from .attack import Missing

_BASE, _HEADERS = 0x400000, 64 + 56
# Wait for a signal, for ever: pause(2); and ppoll(2) of nothing on an architecture without it.
_PROGRAMS = {
    "x86_64": (62, bytes.fromhex("b8220000000f05ebf7")),
    "aarch64": (
        183,
        struct.pack("<7I", 0xD2800000, 0xD2800001, 0xD2800002, 0xD2800003, 0xD2800928, 0xD4000001, 0x17FFFFFA),
    ),
}


def executable(machine: str) -> bytes:
    """An ELF program of a hundred bytes (elf(5)); KeyError for a machine that we do not know."""
    number, code = _PROGRAMS[machine]
    size = _HEADERS + len(code)
    identity = b"\x7fELF\2\1\1".ljust(16, b"\0")
    header = struct.pack("<HHIQQQIHHHHHH", 2, number, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return identity + header + segment + code


@contextlib.contextmanager
def waiting(marker: str, *, before: Callable[[], None] = lambda: None) -> Iterator[int]:
    """A child that waits for the length of a block; its pid. ``marker`` is in its command line.

    ``before`` is what it does while it is still a fork of ours. Missing where the kernel or a filter has no use for
    such programs (vm.memfd_noexec).
    """
    running, started = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(marker, before, started, parent)
    os.close(started)
    try:
        failed = os.read(running, 200)
        if failed:
            raise Missing(f"no process to attack: {failed.decode()}")
        yield pid
    finally:
        os.close(running)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _become(marker: str, before: Callable[[], None], started: int, parent: int) -> None:
    """The pipe closes on exec: that is how the parent learns of it. Never returns."""
    try:
        before()
        processes.die_with(parent)
        program = os.memfd_create("waiting", os.MFD_CLOEXEC)
        os.write(program, executable(os.uname().machine))
        os.execve(program, [marker], {})
    except Exception as error:
        os.write(started, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(1)
