# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attacks on the host's files: ways up, ways around, and ways by the kernel's own handles."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct

from attack import Facts, Refused, any_of, attack
from processes import pids
from syscalls import syscall

_FS_IOC_SETFLAGS = 0x40086602
_IMMUTABLE = 0x10


def _look_for_the_host(facts: Facts) -> str:
    for way in (".", "/", "../" * 64):
        if os.path.exists(f"{way}/{facts['host_file']}"):
            return f"found {facts['host_file']}"
    raise Refused("the host's root is not there")


@attack()
def climb_up(facts: Facts) -> str:
    for _unused in range(64):
        os.chdir("..")
    return _look_for_the_host(facts)


@attack()
def chroot_and_climb_up(facts: Facts) -> str:
    """The classic: a root below the working directory holds nothing back (chroot(2), NOTES)."""
    outside = os.open("/", os.O_RDONLY)
    os.makedirs("/tmp/escape/chroot", exist_ok=True)
    os.chroot("/tmp/escape/chroot")
    os.fchdir(outside)
    for _unused in range(64):
        os.chdir("..")
    os.chroot(".")
    return _look_for_the_host(facts)


@attack()
def read_files_of_others(facts: Facts) -> list[str]:
    """What others have left in directories that every program uses."""
    found = [path for stranger in facts["strangers"] for path in stranger["files"] if os.path.exists(path)]
    if not found:
        raise Refused("none of them is here")
    return found


class _Handle(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint), ("kind", ctypes.c_int), ("bytes", ctypes.c_ubyte * 128)]


def _open_by_handle(path: str, handle: _Handle) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.close(syscall("open_by_handle_at", fd, ctypes.byref(handle), os.O_RDONLY))


def _handle_of(path: str) -> _Handle:
    handle, mount_id = _Handle(128, 0), ctypes.c_int()
    syscall("name_to_handle_at", -100, path.encode(), ctypes.byref(handle), ctypes.byref(mount_id), 0)
    return handle


def _root_inode() -> _Handle:
    """ext4's root directory: inode 2, generation 0 ("shocker")."""
    handle = _Handle(8, 1)
    ctypes.memmove(handle.bytes, struct.pack("=II", 2, 0), 8)
    return handle


@attack(errno.ESTALE, errno.EOPNOTSUPP, errno.ENOTDIR)
def open_by_handle(facts: Facts) -> list[str]:
    """open_by_handle_at(2) knows no mounts: any file of a file system that we have a piece of ("shocker", 2014)."""
    ways = {f"inode 2 by {path}": (path, _root_inode()) for path in ("/", "/proc/1/exe", "/etc/hosts", facts["volume"])}
    attempts = {name: lambda way=way: _open_by_handle(*way) for name, way in ways.items()}
    for path in ("/", facts["volume"]):
        attempts[f"its own handle by {path}"] = lambda path=path: _open_by_handle(path, _handle_of(path))
    return any_of(attempts, frozenset({errno.EPERM, errno.ESTALE, errno.EOPNOTSUPP, errno.ENOENT, errno.EACCES}))


@attack(errno.ENOENT)
def change_programs_of_the_host(facts: Facts) -> list[str]:
    """Programs that run in here but do not come from here, as the init that the engine brings (CVE-2019-5736)."""
    root = os.stat("/").st_dev
    foreign = [f"/proc/{pid}/exe" for pid in pids() if _device_of(f"/proc/{pid}/exe") not in (root, None)]
    attempts = {}
    for path in foreign:
        fd = os.open(path, os.O_PATH)
        again = f"/proc/self/fd/{fd}"
        attempts[f"write {path}"] = lambda path=path: os.close(os.open(path, os.O_WRONLY))
        attempts[f"write {path} again"] = lambda again=again: os.close(os.open(again, os.O_RDWR))
        attempts[f"chmod {path}"] = lambda path=path: os.chmod(path, os.stat(path).st_mode & 0o7777)
        attempts[f"chown {path}"] = lambda path=path: os.chown(path, 0, 0)
        attempts[f"label {path}"] = lambda path=path: os.setxattr(path, "user.escape", b"1")
        attempts[f"link {path}"] = lambda again=again: os.link(again, "/tmp/escape/link", follow_symlinks=True)
        attempts[f"truncate {path}"] = lambda path=path: os.truncate(path, os.stat(path).st_size)
    if not attempts:
        raise Refused("there is none")
    refusals = frozenset({errno.EPERM, errno.EACCES, errno.ETXTBSY, errno.EXDEV, errno.EOVERFLOW, errno.EROFS})
    return any_of(attempts, refusals)


def _device_of(path: str) -> int | None:
    try:
        return os.stat(path).st_dev
    except OSError:
        return None


@attack(errno.EOPNOTSUPP)
def redirect_the_overlay(facts: Facts) -> list[str]:
    """Attributes by which an overlay finds its lower files: who may write them reads others'."""
    path = "/tmp/escape/overlay"
    os.makedirs(path, exist_ok=True)
    names = ("trusted.overlay.redirect", "trusted.overlay.metacopy", "trusted.overlay.opaque")
    return any_of(
        {name: lambda name=name: os.setxattr(path, name, b"/etc") for name in names},
        frozenset({errno.EPERM, errno.EOPNOTSUPP}),
    )


@attack(errno.ENOTTY, errno.EOPNOTSUPP)
def make_files_immutable(facts: Facts) -> list[str]:
    """The host's root could not remove the jail any more."""

    def freeze(path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
        try:
            fcntl.ioctl(fd, _FS_IOC_SETFLAGS, struct.pack("l", _IMMUTABLE))
            fcntl.ioctl(fd, _FS_IOC_SETFLAGS, struct.pack("l", 0))
        finally:
            os.close(fd)
            os.unlink(path)

    paths = ("/var/escape-immutable", f"{facts['volume']}/escape-immutable")
    return any_of({path: lambda path=path: freeze(path) for path in paths})


@attack(errno.ENOENT)
def write_to_what_is_read_only(facts: Facts) -> list[str]:
    """A read-only volume of the host's, which our uid would otherwise be the owner of."""
    path = facts["read_only_volume"]
    return any_of(
        {
            "create": lambda: os.close(os.open(f"{path}/escape", os.O_CREAT | os.O_WRONLY)),
            "write": lambda: os.close(os.open(f"{path}/file", os.O_WRONLY)),
            "chmod": lambda: os.chmod(f"{path}/file", 0o777),
            "by descriptor": lambda: os.close(
                os.open(f"/proc/self/fd/{os.open(f'{path}/file', os.O_RDONLY)}", os.O_WRONLY)
            ),
            "unlink": lambda: os.unlink(f"{path}/file"),
        }
    )
