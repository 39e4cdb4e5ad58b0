# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""System calls that Python has no function for. The numbers are the kernel's for x86_64 and aarch64."""

from __future__ import annotations

import ctypes
import os
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

_NEW = {
    "io_uring_setup": 425,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "clone3": 435,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
}
_X86_64 = {
    "getpid": 39,
    "clone": 56,
    "modify_ldt": 154,
    "pivot_root": 155,
    "acct": 163,
    "settimeofday": 164,
    "swapon": 167,
    "reboot": 169,
    "sethostname": 170,
    "setdomainname": 171,
    "iopl": 172,
    "ioperm": 173,
    "init_module": 175,
    "delete_module": 176,
    "quotactl": 179,
    "syslog": 103,
    "vhangup": 153,
    "lookup_dcookie": 212,
    "clock_settime": 227,
    "kexec_load": 246,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "unshare": 272,
    "move_pages": 279,
    "perf_event_open": 298,
    "fanotify_init": 300,
    "name_to_handle_at": 303,
    "open_by_handle_at": 304,
    "clock_adjtime": 305,
    "setns": 308,
    "process_vm_readv": 310,
    "kcmp": 312,
    "finit_module": 313,
    "kexec_file_load": 320,
    "bpf": 321,
    "userfaultfd": 323,
}
_AARCH64 = {
    "getpid": 172,
    "clone": 220,
    "pivot_root": 41,
    "acct": 89,
    "settimeofday": 170,
    "swapon": 224,
    "reboot": 142,
    "sethostname": 161,
    "setdomainname": 162,
    "init_module": 105,
    "delete_module": 106,
    "quotactl": 60,
    "syslog": 116,
    "vhangup": 58,
    "lookup_dcookie": 18,
    "clock_settime": 112,
    "kexec_load": 104,
    "add_key": 217,
    "request_key": 218,
    "keyctl": 219,
    "unshare": 97,
    "move_pages": 239,
    "perf_event_open": 241,
    "fanotify_init": 262,
    "name_to_handle_at": 264,
    "open_by_handle_at": 265,
    "clock_adjtime": 266,
    "setns": 268,
    "process_vm_readv": 270,
    "kcmp": 272,
    "finit_module": 273,
    "kexec_file_load": 294,
    "bpf": 280,
    "userfaultfd": 282,
}
MACHINE = os.uname().machine
NUMBERS = {**_NEW, **(_X86_64 if MACHINE == "x86_64" else _AARCH64)}


def syscall(name: str, *arguments: Any) -> int:
    """Result of a system call; OSError where it fails or this architecture has none of that name (ENOSYS)."""
    if name not in NUMBERS:
        raise OSError(38, os.strerror(38))
    return checked(libc.syscall(NUMBERS[name], *(_word(argument) for argument in arguments)), name)


def checked(result: int, name: str = "") -> int:
    """A result of libc, or the OSError that errno stands for."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def mount(source: str, target: str, fstype: str | None, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    kind = fstype.encode() if fstype else None
    checked(libc.mount(source.encode(), target.encode(), kind, ctypes.c_ulong(flags), data.encode()), f"mount {fstype}")


def umount(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    checked(libc.umount2(target.encode(), flags), f"umount {target}")


def _word(argument: Any) -> Any:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument
