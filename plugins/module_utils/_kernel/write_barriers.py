# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os

from . import bpf_filter, libc, seccomp
from .files import closing
from .syscall_numbers import numbers

_AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_BARRIERS = ("fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync")
# Offsets in struct seccomp_data.
_NUMBER = 0
_ARCHITECTURE = 4
_ALLOW = 0x7FFF0000
_SUCCEED_WITHOUT_CALLING = 0x00050000  # SECCOMP_RET_ERRNO with errno 0


def ignore_write_barriers() -> None:
    """Make fsync(2) and its kin return success at once, for this process and all its children, for good.

    For building what is thrown away if we do not finish: dpkg syncs each file, which takes longer than all the rest.
    Whoever keeps the result calls ``sync_file_system`` on it. Needs CAP_SYS_ADMIN or no_new_privs. Does nothing on
    architectures whose system call numbers we do not know.
    """
    machine = os.uname().machine
    if machine in _AUDIT_ARCHITECTURES:
        seccomp.load_filter(_program(machine))


def _program(machine: str) -> bytes:
    known = numbers(machine)
    builder = bpf_filter.FilterBuilder()
    allow = builder.returns(_ALLOW)
    succeed = builder.returns(_SUCCEED_WITHOUT_CALLING)
    test = allow
    for name in _BARRIERS:
        test = builder.if_equal(known[name], succeed, test)
    start = builder.load(_NUMBER, test)
    start = builder.if_equal(_AUDIT_ARCHITECTURES[machine], start, allow)
    return bpf_filter.to_bytes(builder.program(builder.load(_ARCHITECTURE, start)))


def sync_file_system(path: str) -> None:
    """syncfs(2): everything written so far to the file system of a path is on disk when this returns."""
    with closing(os.open(path, os.O_RDONLY | os.O_CLOEXEC)) as fd:
        libc.call("sync file system of", path, "syncfs", fd)
