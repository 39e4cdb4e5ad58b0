# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Serves a file system to itself (fuse(4)), and never answers when a file in it is closed.

Killed, it waits for its own answer when it ends: nothing but the host's root ends that.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import threading
import time

_LOOKUP, _GETATTR, _OPEN, _FLUSH, _INIT = 1, 3, 14, 25, 26
_ENOSYS = -38
libc = ctypes.CDLL(None, use_errno=True)
device = os.open("/dev/fuse", os.O_RDWR)


def attributes(inode: int) -> bytes:
    mode = stat.S_IFDIR | 0o755 if inode == 1 else stat.S_IFREG | 0o644
    return struct.pack("=6Q10I", inode, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def serve() -> None:
    answers = {
        _INIT: lambda node: struct.pack("=IIIIHHIIHH7I", 7, 31, 65536, 0, 12, 9, 65536, 1, 16, 0, *[0] * 7),
        _LOOKUP: lambda node: struct.pack("=QQQQII", 2, 0, 100, 100, 0, 0) + attributes(2),
        _GETATTR: lambda node: struct.pack("=QII", 100, 0, 0) + attributes(node),
        _OPEN: lambda node: struct.pack("=QII", 0, 0, 0),
    }
    while True:
        _length, operation, unique, node = struct.unpack_from("=IIQQ", os.read(device, 1 << 17))
        if operation == _FLUSH:
            continue
        answer = answers[operation](node) if operation in answers else b""
        error = 0 if operation in answers else _ENOSYS
        os.write(device, struct.pack("=IiQ", 16 + len(answer), error, unique) + answer)


options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
if libc.mount(b"self", b"/mnt", b"fuse", 0, options):
    raise OSError(ctypes.get_errno(), "mount")
threading.Thread(target=serve, daemon=True).start()
held = os.open("/mnt/file", os.O_RDONLY)
print("held", flush=True)
time.sleep(600)
