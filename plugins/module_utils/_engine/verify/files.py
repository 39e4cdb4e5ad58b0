# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Attacks on the host's files: ways up, ways around, and ways by the kernel's own handles."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from functools import partial

from .attack import NOBODY, Facts, Missing, Refused, any_of, any_of_these, attack
from .calls import can_open, can_write, syscall
from .expectations import capability, never
from .processes import is_host_root, pids

_FS_IOC_SETFLAGS = 0x40086602
_FS_IOC_FSGETXATTR, _FS_IOC_FSSETXATTR = 0x801C581F, 0x401C5820
_IMMUTABLE = 0x10
_AT_FDCWD = -100


def _look_for_the_host(facts: Facts) -> str:
    for way in (".", "/", "../" * 64):
        if is_host_root(facts, way):
            return f"{os.path.abspath(way)} is the host's root"
    raise Refused("the host's root is not there")


@attack(never)
def climb_up(facts: Facts) -> str:
    """Out of the root directory by .. alone."""
    for _unused in range(64):
        os.chdir("..")
    return _look_for_the_host(facts)


@attack(never)
def chroot_and_climb_up(facts: Facts) -> str:
    """The classic: a root below the working directory holds nothing back (chroot(2), fchdir(2))."""
    outside = os.open("/", os.O_RDONLY)
    inner = f"{facts['scratch']}/chroot"
    os.makedirs(inner, exist_ok=True)
    os.chroot(inner)
    os.fchdir(outside)
    for _unused in range(64):
        os.chdir("..")
    os.chroot(".")
    return _look_for_the_host(facts)


@attack(capability("SYS_CHROOT"))
def change_the_root(facts: Facts) -> None:
    """chroot(2) itself, as sftp and DNS servers do."""
    os.chroot(facts["scratch"])


@attack(never)
def read_files_of_others(facts: Facts) -> list[str]:
    """What the host has in directories that every program uses: /tmp, /run, /dev/shm, /var/tmp."""
    found = [path for stranger in facts["strangers"] for path in stranger["files"] if os.path.exists(path)]
    if not found:
        raise Refused("none of them is here")
    return found


@attack(never)
def find_the_engine(facts: Facts) -> list[str]:
    """The engine's own directories: documents of all jails, templates, the supervisor's socket."""
    found = [path for path, *identity in facts["of_the_engine"] if _identity(path) == identity]
    if not found:
        raise Refused("none of them is here")
    return found


def _identity(path: str) -> list[int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_dev, status.st_ino]


@attack(never)
def open_layers_of_the_root(facts: Facts) -> list[str]:
    """The layers below our root, the template's among them, by the paths that /proc/self/mountinfo tells."""
    with open("/proc/self/mountinfo") as file:
        lines = [line.split() for line in file]
    options = [words[-1] for words in lines if words[4] == "/" and "overlay" in words]
    words = [
        word.partition("=")[2] for line in options for word in line.split(",") if word.startswith(("lower", "upp"))
    ]
    layers = [layer for word in words for layer in word.split(":") if layer.startswith("/")]
    ways = {f"{top}{layer}" for layer in layers for top in ("", "/proc/1/root", "/proc/self/cwd")}
    found = [way for way in sorted(ways) if os.path.lexists(way)]
    if not found:
        raise Refused("no path leads there")
    return found


class _Handle(ctypes.Structure):
    """struct file_handle."""

    _fields_ = [("length", ctypes.c_uint), ("kind", ctypes.c_int), ("bytes", ctypes.c_ubyte * 128)]


def _open_by_handle(path: str, handle: _Handle) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.close(syscall("open_by_handle_at", fd, ctypes.byref(handle), os.O_RDONLY))


def _handle_of(path: str) -> _Handle:
    handle, mount_id = _Handle(128, 0), ctypes.c_int()
    syscall("name_to_handle_at", _AT_FDCWD, path.encode(), ctypes.byref(handle), ctypes.byref(mount_id), 0)
    return handle


def _open_by_own_handle(path: str) -> None:
    _open_by_handle(path, _handle_of(path))


def _root_inode() -> _Handle:
    """ext4's root directory: inode 2, generation 0 ("shocker")."""
    handle = _Handle(8, 1)
    ctypes.memmove(handle.bytes, struct.pack("=II", 2, 0), 8)
    return handle


@attack(never, errno.ESTALE, errno.EOPNOTSUPP, errno.ENOTDIR)
def open_by_handle(facts: Facts) -> list[str]:
    """open_by_handle_at(2) knows no mounts: any file of a file system that we have a piece of ("shocker", 2014)."""
    volumes = facts["volumes"] + facts["read_only_volumes"]
    ways = {f"inode 2 by {path}": (path, _root_inode()) for path in ("/", "/proc/1/exe", "/etc/hosts", *volumes)}
    attempts = {name: partial(_open_by_handle, *way) for name, way in ways.items()}
    for path in ("/", *volumes):
        attempts[f"its own handle by {path}"] = partial(_open_by_own_handle, path)
    return any_of(
        attempts, frozenset({errno.EPERM, errno.ESTALE, errno.EOPNOTSUPP, errno.ENOENT, errno.EACCES, errno.ENOTDIR})
    )


@attack(never, errno.ETXTBSY)
def overwrite_our_own_program(facts: Facts) -> list[str]:
    """/proc/self/exe, which is the engine's interpreter as long as the engine is in here (CVE-2019-5736)."""
    fd = os.open("/proc/self/exe", os.O_PATH)
    return any_of(
        {
            "write": lambda: can_write("/proc/self/exe"),
            "append": lambda: can_open("/proc/self/exe", os.O_WRONLY | os.O_APPEND),
            "write again": lambda: can_open(f"/proc/self/fd/{fd}", os.O_RDWR),
        },
        frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ETXTBSY}),
    )


@attack(never, errno.ENOENT)
def change_programs_of_the_host(facts: Facts) -> list[str]:
    """Programs that run in here but do not come from here, as the init that the host lends."""
    root = os.stat("/").st_dev
    # Ours is the engine's, of which a process of a jail that has the host's ids never is.
    own = set() if facts["own_ids"] else {str(os.getpid())}
    running = [f"/proc/{pid}/exe" for pid in pids() if pid not in own]
    foreign = [path for path in running if _device_of(path) not in (root, None)]
    attempts: dict[str, Callable[[], object]] = {}
    for path in foreign:
        again = f"/proc/self/fd/{os.open(path, os.O_PATH)}"
        link = f"{facts['scratch']}/link"
        attempts[f"write {path}"] = partial(can_write, path)
        attempts[f"write {path} again"] = partial(can_open, again, os.O_RDWR)
        attempts[f"chmod {path}"] = partial(_set_mode_again, path)
        attempts[f"label {path}"] = partial(_label, path)
        attempts[f"link {path}"] = partial(_link, again, link)
        attempts[f"truncate {path}"] = partial(_set_size_again, path)
    if not attempts:
        raise Refused("there is none")
    refusals = frozenset(
        {errno.EPERM, errno.EACCES, errno.ETXTBSY, errno.EXDEV, errno.EOVERFLOW, errno.EROFS, errno.EOPNOTSUPP}
    )
    return any_of(attempts, refusals)


def _set_mode_again(path: str) -> None:
    os.chmod(path, os.stat(path).st_mode & 0o7777)


def _set_size_again(path: str) -> None:
    os.truncate(path, os.stat(path).st_size)


def _label(path: str) -> None:
    os.setxattr(path, "user.verify", b"1")
    os.removexattr(path, "user.verify")


def _link(source: str, target: str) -> None:
    os.link(source, target, follow_symlinks=True)
    os.unlink(target)


def _device_of(path: str) -> int | None:
    try:
        return os.stat(path).st_dev
    except OSError:
        return None


@attack(never, errno.EOPNOTSUPP)
def redirect_the_overlay(facts: Facts) -> list[str]:
    """Attributes by which an overlay finds its lower files: who may write them reads others'."""
    path = f"{facts['scratch']}/overlay"
    os.makedirs(path, exist_ok=True)
    names = ("trusted.overlay.redirect", "trusted.overlay.metacopy", "trusted.overlay.opaque")
    return any_of_these(
        names, lambda name: os.setxattr(path, name, b"/etc"), frozenset({errno.EPERM, errno.EOPNOTSUPP})
    )


@attack(never, errno.ENOTTY, errno.EOPNOTSUPP)
def make_files_immutable(facts: Facts) -> list[str]:
    """Files that not even the host's root could remove, without a word to chattr(1)."""

    def freeze(path: str) -> None:
        with _passing_file(path) as fd:
            fcntl.ioctl(fd, _FS_IOC_SETFLAGS, struct.pack("l", _IMMUTABLE))
            fcntl.ioctl(fd, _FS_IOC_SETFLAGS, struct.pack("l", 0))

    return any_of_these(
        (f"{place}/.verify-immutable" for place in facts["places"]),
        freeze,
        frozenset({errno.EPERM, errno.EACCES, errno.ENOTTY, errno.EOPNOTSUPP, errno.EROFS}),
    )


@attack(never, errno.EINVAL, errno.ENOTTY, errno.EOPNOTSUPP)
def change_the_project_of_files(facts: Facts) -> list[str]:
    """The size of a root file system is counted by the project of its files (FS_IOC_FSSETXATTR)."""

    def move(path: str) -> None:
        with _passing_file(path) as fd:
            attributes = bytearray(fcntl.ioctl(fd, _FS_IOC_FSGETXATTR, bytes(28)))
            project = struct.unpack_from("=I", attributes, 12)[0]
            struct.pack_into("=I", attributes, 12, project + 1)
            fcntl.ioctl(fd, _FS_IOC_FSSETXATTR, bytes(attributes))

    return any_of_these(
        (f"{place}/.verify-project" for place in facts["places"]),
        move,
        frozenset({errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOTTY, errno.EOPNOTSUPP, errno.EROFS}),
    )


@contextlib.contextmanager
def _passing_file(path: str) -> Iterator[int]:
    """Descriptor of a file that is there for the length of a block."""
    fd = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)
        os.unlink(path)


def _open_again(path: str) -> None:
    can_write(f"/proc/self/fd/{os.open(path, os.O_RDONLY)}")


def _create(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    os.unlink(path)


@attack(never)
def write_to_what_is_read_only(facts: Facts) -> list[str]:
    """A read-only volume of the host's, whatever its owner and mode say."""
    attempts: dict[str, Callable[[], object]] = {}
    for path in facts["read_only_volumes"]:
        attempts[f"create in {path}"] = partial(_create, f"{path}/.verify-created")
        attempts[f"chmod {path}"] = partial(_set_mode_again, path)
        for file in _some_files(path):
            attempts[f"write {file}"] = partial(can_write, file)
            attempts[f"chmod {file}"] = partial(_set_mode_again, file)
            attempts[f"{file} by descriptor"] = partial(_open_again, file)
    if not attempts:
        raise Missing("the jail has no read-only volume")
    return any_of(attempts)


def _some_files(path: str) -> list[str]:
    with contextlib.suppress(OSError):
        return [entry.path for entry in os.scandir(path) if entry.is_file(follow_symlinks=False)][:3]
    return []


@attack(capability("CHOWN"))
def give_files_away(facts: Facts) -> None:
    """Change the owner of a file to another user of the jail."""
    path = f"{facts['scratch']}/given"
    open(path, "w").close()
    os.chown(path, 1, 1)


@attack(capability("DAC_OVERRIDE", "DAC_READ_SEARCH"))
def read_files_of_any_user(facts: Facts) -> None:
    """Read a file of another user of the jail, who keeps it to himself."""
    can_open(facts["foreign_file"])


@attack(capability("DAC_OVERRIDE"))
def write_files_of_any_user(facts: Facts) -> None:
    """Write to a file of another user of the jail, who keeps it to himself."""
    can_write(facts["foreign_file"])


@attack(capability("FOWNER"))
def change_modes_of_any_users_files(facts: Facts) -> None:
    """Change the mode of a file of another user of the jail."""
    os.chmod(facts["foreign_file"], 0o600)


@attack(capability("SETFCAP"))
def give_files_capabilities(facts: Facts) -> None:
    """Give a program capabilities, which count in the jail alone."""
    path = f"{facts['scratch']}/capable"
    open(path, "w").close()
    os.setxattr(path, "security.capability", struct.pack("<5I", 0x2000001, 32, 0, 0, 0))


@attack(capability("SETUID"))
def become_a_user(facts: Facts) -> None:
    """Become another user of the jail."""
    os.setresuid(1, 1, 1)


@attack(capability("SETGID"))
def join_a_group(facts: Facts) -> None:
    """Join another group of the jail."""
    os.setgroups([1])


@attack(never, user=NOBODY)
def read_files_as_a_user(facts: Facts) -> None:
    """As a user of the jail: read a file that another one keeps to himself."""
    can_open(facts["foreign_file"])


@attack(never, user=NOBODY)
def change_the_root_as_a_user(facts: Facts) -> None:
    """As a user of the jail: chroot(2)."""
    os.chroot(facts["scratch"])
