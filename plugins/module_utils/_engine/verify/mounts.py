# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Attacks by mounting, and on mounts."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from functools import partial

from .attack import NOBODY, Facts, Missing, Refused, any_of, any_of_these, attack
from .calls import (
    BIND,
    EXPIRE,
    MOVE,
    PRIVATE,
    READ_ONLY,
    RECURSIVE,
    REMOUNT,
    mount,
    syscall,
    umount,
)
from .expectations import mounting, never, own_mounts

_AT_FDCWD = -100
_CLONE, _MOVE_FROM_DESCRIPTOR = 1, 4
_CREATE_CONTEXT, _RECONFIGURE = 6, 7
_NEWNS = 0x20000

# ENODEV: a kernel without this file system; ENOENT and EINVAL: what is behind it is not there, or not to be seen.
_NOT_THERE = frozenset({errno.EPERM, errno.EACCES, errno.ENODEV, errno.ENOENT, errno.ENOSYS})
_LOCKED = frozenset({errno.EPERM, errno.EINVAL, errno.EACCES, errno.ENOSYS, errno.ENOENT})

# File systems with one instance for the whole machine, or with a parser that trusts the disk.
_OF_THE_HOST = frozenset(
    """
    debugfs tracefs securityfs configfs pstore efivarfs selinuxfs devtmpfs hugetlbfs rpc_pipefs nfsd nfs nfs4 cifs 9p
    virtiofs ext4 xfs btrfs vfat iso9660 squashfs erofs fusectl functionfs resctrl
    """.split()
)


_ON_DISKS = frozenset({"ext4", "xfs", "btrfs", "vfat", "squashfs"})


def file_systems() -> set[str]:
    """Those that the kernel has; it would load a module for any other that we name."""
    with open("/proc/filesystems") as file:
        return {line.split()[-1] for line in file}


def empty_directory(facts: Facts, name: str) -> str:
    """A directory of our own to mount on."""
    path = f"{facts['scratch']}/{name}"
    os.makedirs(path, exist_ok=True)
    return path


def mount_and_away(facts: Facts, source: str, name: str, fstype: str | None, flags: int = 0, data: str = "") -> None:
    """Mount something, and take it away at once."""
    path = empty_directory(facts, name)
    mount(source, path, fstype, flags, data)
    umount(path)


@attack(mounting)
def mount_memory(facts: Facts) -> None:
    """Mount a tmpfs."""
    mount_and_away(facts, "none", "tmpfs", "tmpfs")


@attack(mounting)
def mount_overlay(facts: Facts) -> None:
    """Mount an overlay, with its layers in memory: an overlay is no layer of an overlay."""
    lower, upper, work = (empty_directory(facts, part) for part in ("lower", "upper", "work"))
    mount_and_away(facts, "none", "overlay", "overlay", 0, f"lowerdir={lower},upperdir={upper},workdir={work}")


@attack(mounting)
def bind_a_directory(facts: Facts) -> None:
    """Make a directory appear elsewhere."""
    mount_and_away(facts, empty_directory(facts, "source"), "bind", None, BIND)


@attack(never, user=NOBODY)
def mount_as_a_user(facts: Facts) -> None:
    """As a user of the jail: mount a tmpfs."""
    mount("none", facts["scratch"], "tmpfs")


@attack(own_mounts, errno.EBUSY)
def mount_fresh_proc(facts: Facts) -> None:
    """A proc without our masks."""
    mount_and_away(facts, "none", "proc", "proc")


@attack(own_mounts)
def mount_fresh_sysfs(facts: Facts) -> None:
    """A sysfs without our masks."""
    mount_and_away(facts, "none", "sysfs", "sysfs")


@attack(own_mounts, errno.EBUSY, errno.ENODEV)
def mount_our_control_groups(facts: Facts) -> None:
    """The control groups of version 2, from our own on."""
    mount_and_away(facts, "none", "groups", "cgroup2")


@attack(never, errno.ENODEV, errno.EBUSY, errno.EINVAL)
def mount_control_groups(facts: Facts) -> None:
    """A hierarchy of version 1 with a release_agent, which the kernel would run as the host's root (CVE-2022-0492)."""
    agent = f"none,name=verify,release_agent={facts['scratch']}"
    mount_and_away(facts, "none", "named-groups", "cgroup", 0, agent)


@attack(never, errno.ENODEV, errno.EBUSY, errno.EINVAL)
def make_a_named_hierarchy(facts: Facts) -> None:
    """A hierarchy of control groups of our own."""
    mount_and_away(facts, "none", "named-groups", "cgroup", 0, "none,name=verify")


@attack(never)
def mount_what_belongs_to_the_host(facts: Facts) -> list[str]:
    """Every file system of the kernel's that is the machine's, or that believes what is on a disk."""
    kinds = sorted(file_systems() & _OF_THE_HOST)
    refusals = _NOT_THERE | {errno.EINVAL, errno.ENOTBLK}
    return any_of_these(kinds, lambda kind: mount_and_away(facts, "none", "host", kind), refusals)


@attack(never, errno.ENOENT, errno.ENXIO, errno.ENOTBLK, errno.ENODEV)
def mount_a_disk(facts: Facts) -> None:
    """The disk that the host's root is on."""
    kinds = sorted(file_systems() & _ON_DISKS)
    if not kinds:
        raise Missing("this kernel has no file system for disks yet")
    path = f"{facts['scratch']}/disk"
    with contextlib.suppress(OSError):
        os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(*facts["disk"]))
    mount_and_away(facts, path, "disk-mount", kinds[0], READ_ONLY)


@attack(mounting)
def mount_by_the_new_calls(facts: Facts) -> None:
    """fsopen(2), fsconfig(2), fsmount(2) and move_mount(2), which many a filter has forgotten."""
    context = syscall("fsopen", b"tmpfs", 1)
    syscall("fsconfig", context, _CREATE_CONTEXT, None, None, 0)
    made = syscall("fsmount", context, 1, 0)
    path = empty_directory(facts, "new")
    syscall("move_mount", made, b"", _AT_FDCWD, path.encode(), _MOVE_FROM_DESCRIPTOR)
    umount(path)


@attack(mounting)
def copy_a_tree(facts: Facts) -> None:
    """open_tree(2): a copy of a mount, to be attached elsewhere."""
    os.close(syscall("open_tree", _AT_FDCWD, facts["scratch"].encode(), _CLONE))


@attack(never)
def reconfigure_the_root(facts: Facts) -> None:
    """fspick(2): configure the file system that our root is on, as it is."""
    root = syscall("fspick", _AT_FDCWD, b"/", 0)
    syscall("fsconfig", root, _RECONFIGURE, None, None, 0)


@attack(never, errno.EINVAL)
def pivot_root(facts: Facts) -> None:
    """Take the root of the whole jail away (pivot_root(2))."""
    # On mounts of our own: those of the jail are still needed.
    syscall("unshare", _NEWNS)
    os.chdir("/")
    syscall("pivot_root", b".", b".")


@attack(never, errno.EINVAL)
def uncover_masks(facts: Facts) -> list[str]:
    """Take masks and read-only covers off /proc and /sys, by every call that could."""
    attempts: dict[str, Callable[[], object]] = {}
    for path in facts["masks"]:
        attempts[f"umount {path}"] = partial(_could_unmount, path)
        attempts[f"move {path}"] = partial(_move_and_back, facts, path)
        attempts[f"private {path}"] = partial(_bind_parent, facts, path)
    if not attempts:
        raise Missing("the jail has no masks")
    return any_of(attempts, _LOCKED)


def _could_unmount(path: str) -> None:
    """MNT_EXPIRE only makes a note of it the first time (umount2(2)), after every check that counts."""
    try:
        umount(path, EXPIRE)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EBUSY):
            raise


def _move_and_back(facts: Facts, path: str) -> None:
    target = empty_directory(facts, "moved")
    mount(path, target, None, MOVE)
    mount(target, path, None, MOVE)


def _bind_parent(facts: Facts, path: str) -> None:
    """A bind that is not recursive would show what is under a cover."""
    target = empty_directory(facts, "parent")
    mount(os.path.dirname(path), target, None, BIND)
    try:
        with open(f"{target}/{os.path.basename(path)}", "rb") as file:
            if not file.read(16):
                raise Refused("still covered")
    finally:
        umount(target)


def _without(flags: int, path: str, *, bind: bool = True) -> None:
    """Take the flags of a mount away but for those given, and give them back."""
    before = os.statvfs(path).f_flag & (1 | 2 | 4 | 8)
    how = REMOUNT | (BIND if bind else 0)
    mount("none", path, None, how | flags)
    mount("none", path, None, how | before)


@attack(own_mounts, errno.EINVAL)
def make_proc_writable(facts: Facts) -> list[str]:
    """Mount the read-only parts of /proc and /sys anew, writable."""
    paths = [path for path in ("/proc/sys", "/proc/irq", "/sys", "/sys/fs/cgroup") if os.path.ismount(path)]
    again = {path: partial(_without, 0, path) for path in paths}
    whole = {f"{path} wholly": partial(_without, 0, path, bind=False) for path in paths}
    return any_of({**again, **whole}, frozenset({errno.EPERM, errno.EACCES, errno.EINVAL}))


@attack(never, errno.EINVAL)
def take_locks_off_the_root(facts: Facts) -> None:
    """The root's nodev: set by the host, so locked (mount_namespaces(7))."""
    _without(0, "/")


@attack(never, errno.EINVAL)
def take_locks_off_volumes(facts: Facts) -> list[str]:
    """The volumes' nosuid, nodev and ro, and the volumes themselves."""
    attempts: dict[str, Callable[[], object]] = {}
    for path in facts["volumes"] + facts["read_only_volumes"]:
        attempts[f"flags off {path}"] = partial(_without, 0, path)
        attempts[f"unmount {path}"] = partial(_could_unmount, path)
    if not attempts:
        raise Missing("the jail has no volume")
    return any_of(attempts, frozenset({errno.EPERM, errno.EINVAL, errno.EACCES}))


@attack(mounting)
def change_flags_of_own_mounts(facts: Facts) -> None:
    """mount_setattr(2) on a mount of our own."""
    path = empty_directory(facts, "own")
    mount("none", path, "tmpfs")
    try:
        request = (1).to_bytes(8, "little") + bytes(24)
        syscall("mount_setattr", _AT_FDCWD, path.encode(), 0, request, len(request))
    finally:
        umount(path)


@attack(never, errno.EINVAL)
def look_under_the_root(facts: Facts) -> str:
    """Take the root away and enter our own mount namespace anew: we would stand on what was below it."""
    here = (os.stat("/").st_dev, os.stat("/").st_ino)
    syscall("unshare", _NEWNS)
    mount("none", "/", None, PRIVATE | RECURSIVE)
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    umount("/")
    syscall("setns", own, 0)
    if (os.stat("/").st_dev, os.stat("/").st_ino) == here:
        raise Refused("the same root")
    return " ".join(os.listdir("/"))
