# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from . import libc
from .errors import KernelError
from .mounts import MS_BIND, mount, unmount

NEWTIME = 0x00000080
NEWNS = 0x00020000
NEWCGROUP = 0x02000000
NEWUTS = 0x04000000
NEWIPC = 0x08000000
NEWUSER = 0x10000000
NEWPID = 0x20000000
NEWNET = 0x40000000

_GET_OWNER_UID = 0xB704

_NAMES = {
    NEWTIME: "time",
    NEWNS: "mnt",
    NEWCGROUP: "cgroup",
    NEWUTS: "uts",
    NEWIPC: "ipc",
    NEWUSER: "user",
    NEWPID: "pid",
    NEWNET: "net",
}


def names(flags: int) -> str:
    """Names as in /proc/PID/ns of the namespaces in a CLONE_NEW* mask."""
    return ",".join(name for flag, name in _NAMES.items() if flags & flag)


def unshare(flags: int) -> None:
    """unshare(2): move this process (for pid and time: its children) into new namespaces."""
    libc.call("unshare", names(flags), "unshare", flags)


def setns(fd: int, flags: int = 0) -> None:
    """setns(2): join the namespace of an nsfs descriptor, or all those in ``flags`` of a pidfd (Linux 5.8)."""
    libc.call("setns", names(flags), "setns", fd, flags)


def enter_time_namespace_for_children() -> None:
    """Enter the time namespace that unshare(NEWTIME) has made for our children; its offsets are final from then on."""
    fd = os.open("/proc/self/ns/time_for_children", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(fd, NEWTIME)
    finally:
        os.close(fd)


def new_network_namespace(*, user_namespace: int | None = None) -> int:
    """Descriptor of a new network namespace, owned by ``user_namespace`` or else by ours."""
    if user_namespace is None:
        with _returning("net", NEWNET):
            unshare(NEWNET)
            return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    return _new_owned_by(user_namespace)


def _new_owned_by(user_namespace: int) -> int:
    """A process cannot come back from a user namespace, so a helper goes there and we take its namespace."""
    ready_reader, ready_writer = os.pipe()
    hold_reader, hold_writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ready_reader)
            os.close(hold_writer)
            setns(user_namespace, NEWUSER)
            unshare(NEWNET)
            os.write(ready_writer, b"r")
            os.read(hold_reader, 1)
        finally:
            os._exit(0)
    os.close(ready_writer)
    os.close(hold_reader)
    try:
        if os.read(ready_reader, 1) != b"r":
            raise KernelError("unshare", "net", 28)
        return os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready_reader)
        os.close(hold_writer)
        os.waitpid(pid, 0)


@contextlib.contextmanager
def _returning(kind: str, flag: int) -> Iterator[None]:
    """Come back to the present namespace of one kind at the end of a block."""
    home = os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        try:
            setns(home, flag)
        finally:
            os.close(home)


@contextlib.contextmanager
def new_pid_namespace_for_children() -> Iterator[None]:
    """Have the child that a block forks be pid 1 of a new pid namespace, without entering it ourselves.

    Whoever cannot take that back ends at once: further children would be born among the processes of a jail.
    """
    home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(NEWPID)
        try:
            yield
        finally:
            try:
                setns(home, NEWPID)
            except KernelError:
                os._exit(70)
    finally:
        os.close(home)


@contextlib.contextmanager
def visiting(fd: int, flag: int = NEWNET) -> Iterator[None]:
    """Be in another namespace (not a user or pid one) for the length of a block."""
    with _returning(_NAMES[flag], flag):
        setns(fd, flag)
        yield


def pin(fd: int, path: str) -> None:
    """Keep a namespace alive without a process: bind its nsfs file to a path (namespaces(7))."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o400))
    except OSError as error:
        raise KernelError.from_os_error("pin namespace", path, error) from error
    mount(f"/proc/self/fd/{fd}", path, None, MS_BIND)


def unpin(path: str) -> None:
    """Let a pinned namespace go, with every stale bind under the same path; a path that is gone is no error."""
    while is_pinned(path):
        unmount(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def is_pinned(path: str) -> bool:
    """Whether a path is an nsfs bind."""
    try:
        return os.stat(path).st_dev == _nsfs()
    except FileNotFoundError:
        return False


def find_pin(path: str) -> int | None:
    """Descriptor of a pinned namespace, None where none is pinned, or not any more."""
    # What was opened counts: the file below an nsfs bind comes to light when that goes.
    with contextlib.suppress(FileNotFoundError):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if os.fstat(fd).st_dev == _nsfs():
            return fd
        os.close(fd)
    return None


def _nsfs() -> int:
    """The device of all namespaces' files. That of the directory tells nothing: overlays show a file on another."""
    return os.stat("/proc/self/ns/net").st_dev


def open_pin(path: str) -> int:
    """The same, KernelError ENOENT where none is pinned."""
    fd = find_pin(path)
    if fd is None:
        raise KernelError("open namespace", path, 2)
    return fd


def owner_of(path: str) -> int:
    """The user who has made the user namespace of a nsfs file, and on whose account it is (NS_GET_OWNER_UID)."""
    import fcntl

    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int.from_bytes(fcntl.ioctl(fd, _GET_OWNER_UID, bytes(4)), sys.byteorder)
    except OSError as error:
        raise KernelError.from_os_error("ask for the owner of", path, error) from error
    finally:
        os.close(fd)


def identity(fd: int) -> int:
    """Inode number of a namespace: equal numbers, same namespace."""
    return os.fstat(fd).st_ino
