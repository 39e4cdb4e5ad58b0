# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Just enough of io_uring(7) to make, bind and connect sockets from a kernel thread instead of our own."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import time

_SETUP, _ENTER = 425, 426
_SQPOLL, _WAKEUP, _GET_EVENTS = 2, 2, 1
_SUBMISSIONS, _COMPLETIONS, _ENTRIES = 0, 0x8000000, 0x10000000
SOCKET, CONNECT, BIND = 45, 16, 56
_ENTRY = struct.Struct("=BBHiQQIIQ24x")

_libc = ctypes.CDLL(None, use_errno=True)


class Ring:
    """A ring whose submissions a kernel thread looks for by itself (IORING_SETUP_SQPOLL)."""

    def __init__(self) -> None:
        parameters = ctypes.create_string_buffer(struct.pack("=IIIII", 0, 0, _SQPOLL, 0, 2000).ljust(120, b"\0"), 120)
        self._fd = _libc.syscall(_SETUP, 4, parameters)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "io_uring_setup")
        submissions = struct.unpack_from("=7I", parameters.raw, 40)
        completions = struct.unpack_from("=6I", parameters.raw, 80)
        self._tail, self._array = submissions[1], submissions[6]
        self._done, self._results = completions[1], completions[5]
        self._submitted = self._map(_SUBMISSIONS, 4096)
        self._completed = self._map(_COMPLETIONS, 4096)
        self._entries = self._map(_ENTRIES, 4096)

    def _map(self, offset: int, length: int) -> mmap.mmap:
        return mmap.mmap(self._fd, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)

    def call(self, operation: int, fd: int, *, offset: int = 0, address: bytes = b"", length: int = 0) -> int:
        """One operation and its result; raises OSError."""
        buffer = ctypes.create_string_buffer(address, len(address) or 1)
        (tail,) = struct.unpack_from("=I", self._submitted, self._tail)
        (before,) = struct.unpack_from("=I", self._completed, self._done)
        slot = tail & 3
        where = ctypes.addressof(buffer) if address else 0
        _ENTRY.pack_into(self._entries, slot * 64, operation, 0, 0, fd, offset, where, length, 0, 0)
        struct.pack_into("=I", self._submitted, self._array + 4 * slot, slot)
        struct.pack_into("=I", self._submitted, self._tail, tail + 1)
        _libc.syscall(_ENTER, self._fd, 0, 0, _WAKEUP, None, 0)
        deadline = time.monotonic() + 30
        while struct.unpack_from("=I", self._completed, self._done)[0] == before:
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(0.001)
        (result,) = struct.unpack_from("=i", self._completed, self._results + 16 * (before & 7) + 8)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return int(result)
