# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attacks by mounting, on mounts, and on what the kernel offers in mounted file systems."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from attack import Facts, Refused, any_of, attack
from syscalls import mount, syscall, umount

_BIND, _MOVE, _REMOUNT, _RDONLY, _REC, _PRIVATE = 4096, 8192, 32, 1, 16384, 1 << 18
_DETACH = 2
_CLONE, _EMPTY_PATH = 1, 0x1000

# ENODEV: a kernel without this file system; ENOENT and EINVAL: what is behind it is not there, or not to be seen.
_NOT_THERE = frozenset({errno.EPERM, errno.EACCES, errno.ENODEV, errno.ENOENT, errno.ENOSYS})

# File systems with one instance for the whole machine, or with a parser that trusts the disk.
_OF_THE_HOST = (
    "debugfs tracefs securityfs configfs pstore efivarfs selinuxfs devtmpfs hugetlbfs rpc_pipefs nfsd nfs nfs4 cifs 9p"
    " virtiofs ext4 xfs btrfs vfat iso9660 squashfs erofs fusectl functionfs resctrl"
).split()

# What a write there does, happens to the machine.
SWITCHES = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/poweroff_cmd",
    "/proc/sys/kernel/sysrq",
    "/proc/sys/kernel/hotplug",
    "/proc/sys/kernel/randomize_va_space",
    "/proc/sys/kernel/kptr_restrict",
    "/proc/sys/kernel/panic",
    "/proc/sys/vm/panic_on_oom",
    "/proc/sys/vm/drop_caches",
    "/proc/sys/fs/suid_dumpable",
    "/proc/sys/fs/protected_symlinks",
    "/proc/sysrq-trigger",
    "/proc/mtrr",
    "/proc/irq/default_smp_affinity",
    "/sys/kernel/uevent_helper",
    "/sys/kernel/kexec_crash_size",
    "/sys/kernel/mm/ksm/run",
    "/sys/kernel/profiling",
    "/sys/power/state",
    "/sys/module/kernel/parameters/crash_kexec_post_notifiers",
)


def _empty_directory(name: str) -> str:
    path = f"/tmp/escape/{name}"
    os.makedirs(path, exist_ok=True)
    return path


def _mount_and_away(source: str, name: str, fstype: str | None, flags: int = 0, data: str = "") -> None:
    path = _empty_directory(name)
    mount(source, path, fstype, flags, data)
    umount(path, _DETACH)


@attack()
def mount_memory(facts: Facts) -> None:
    _mount_and_away("none", "tmpfs", "tmpfs")


@attack()
def mount_overlay(facts: Facts) -> None:
    """With its layers in memory: an overlay is no layer of an overlay."""
    lower, upper, work = (f"/dev/shm/escape-{part}" for part in ("lower", "upper", "work"))
    for path in (lower, upper, work):
        os.makedirs(path, exist_ok=True)
    _mount_and_away("none", "overlay", "overlay", 0, f"lowerdir={lower},upperdir={upper},workdir={work}")


@attack()
def bind_a_directory(facts: Facts) -> None:
    _mount_and_away("/etc", "bind", None, _BIND)


@attack()
def mount_fresh_proc(facts: Facts) -> None:
    """A proc without our masks."""
    _mount_and_away("none", "proc", "proc")


@attack()
def mount_fresh_sysfs(facts: Facts) -> None:
    _mount_and_away("none", "sysfs", "sysfs")


@attack(errno.ENODEV, errno.EBUSY, errno.EINVAL)
def mount_control_groups(facts: Facts) -> None:
    """A hierarchy of version 1 with a release_agent, which the kernel would run as the host's root (CVE-2022-0492)."""
    _mount_and_away("none", "named-groups", "cgroup", 0, "none,name=escape,release_agent=/tmp/escape")


@attack(errno.ENODEV, errno.EBUSY, errno.EINVAL)
def make_a_named_hierarchy(facts: Facts) -> None:
    _mount_and_away("none", "named-groups", "cgroup", 0, "none,name=escape")


@attack()
def mount_what_belongs_to_the_host(facts: Facts) -> list[str]:
    attempts = {kind: lambda kind=kind: _mount_and_away("none", "host", kind) for kind in _OF_THE_HOST}
    return any_of(attempts, _NOT_THERE)


@attack(errno.ENOENT, errno.ENXIO, errno.ENOTBLK)
def mount_a_disk(facts: Facts) -> None:
    path = "/tmp/escape/disk"
    with contextlib.suppress(OSError):
        os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(*facts["disk"]))
    _mount_and_away(path, "disk-mount", "ext4", _RDONLY)


@attack()
def use_the_new_mount_calls(facts: Facts) -> list[str]:
    """fsopen(2) and its family, which many a filter has forgotten."""
    return any_of(
        {
            "fsopen": lambda: os.close(syscall("fsopen", b"tmpfs", 1)),
            "open_tree": lambda: os.close(syscall("open_tree", -100, b"/etc", _CLONE)),
            "fspick": lambda: os.close(syscall("fspick", -100, b"/", 0)),
        }
    )


@attack(errno.EINVAL)
def pivot_root(facts: Facts) -> None:
    os.chdir("/")
    syscall("pivot_root", b".", b".")


@attack(errno.EINVAL)
def uncover_masks(facts: Facts) -> list[str]:
    """Take masks and read-only covers off /proc and /sys, by every call that could."""
    attempts = {}
    for path in facts["masks"]:
        attempts[f"umount {path}"] = lambda path=path: umount(path, _DETACH)
        attempts[f"move {path}"] = lambda path=path: mount(path, _empty_directory("moved"), None, _MOVE)
        attempts[f"private {path}"] = lambda path=path: _bind_parent(path)
    if not attempts:
        raise Refused("there are none")
    return any_of(attempts, frozenset({errno.EPERM, errno.EINVAL, errno.EACCES, errno.ENOSYS}))


def _bind_parent(path: str) -> None:
    """A bind that is not recursive would show what is under a cover."""
    target = _empty_directory("parent")
    mount(os.path.dirname(path), target, None, _BIND)
    try:
        with open(f"{target}/{os.path.basename(path)}", "rb") as file:
            if not file.read(16):
                raise Refused("still covered")
    finally:
        umount(target, _DETACH)


@attack(errno.EINVAL)
def make_writable_again(facts: Facts) -> list[str]:
    paths = ["/proc/sys", "/proc/irq", "/sys", "/sys/fs/cgroup", facts["read_only_volume"]]
    again = {path: lambda path=path: mount("none", path, None, _REMOUNT | _BIND) for path in paths}
    whole = {f"{path} wholly": lambda path=path: mount("none", path, None, _REMOUNT) for path in paths}
    return any_of({**again, **whole}, frozenset({errno.EPERM, errno.EACCES, errno.EINVAL}))


@attack(errno.EINVAL)
def take_locks_off_volumes(facts: Facts) -> list[str]:
    """The volume's nosuid and nodev, and the read-only one's ro: set by the host, so locked (mount_namespaces(7))."""
    return any_of(
        {
            "nosuid,nodev off": lambda: mount("none", facts["volume"], None, _REMOUNT | _BIND),
            "nodev off the root": lambda: mount("none", "/", None, _REMOUNT | _BIND),
            "read-only off": lambda: mount("none", facts["read_only_volume"], None, _REMOUNT | _BIND),
            "unmount": lambda: umount(facts["read_only_volume"], _DETACH),
        },
        frozenset({errno.EPERM, errno.EINVAL}),
    )


@attack(errno.EINVAL)
def look_under_the_root(facts: Facts) -> str:
    """Take the root away and enter our own mount namespace anew: we would stand on what was below it."""
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    here = {(os.stat("/").st_dev, os.stat("/").st_ino)}
    with contextlib.suppress(OSError):
        syscall("unshare", 0x20000)
        mount("none", "/", None, _PRIVATE | _REC)
        own = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    umount("/", _DETACH)
    syscall("setns", own, 0)
    status = os.stat("/")
    if (status.st_dev, status.st_ino) in here:
        raise Refused("the same root")
    return " ".join(os.listdir("/"))


@attack(errno.ENOENT, errno.EIO)
def open_switches_of_the_machine(facts: Facts) -> list[str]:
    return any_of(
        {path: lambda path=path: os.close(os.open(path, os.O_WRONLY)) for path in SWITCHES},
        frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EIO}),
    )


@attack()
def write_the_core_pattern(facts: Facts) -> str:
    """A handler of crashes runs as the host's root; written is what is there already."""
    with open("/proc/sys/kernel/core_pattern") as file:
        before = file.read()
    with open("/proc/sys/kernel/core_pattern", "w") as file:
        file.write(before)
    return before


@attack()
def find_anything_writable(facts: Facts) -> list[str]:
    """Every file of /proc and /sys but those of processes: which of them open for writing?"""
    found = []
    for top in ("/proc", "/sys"):
        for directory, names, files in os.walk(top):
            if directory == "/proc":
                names[:] = [name for name in names if not name.isdigit() and name not in ("self", "thread-self")]
            for name in files:
                path = f"{directory}/{name}"
                with contextlib.suppress(OSError):
                    if stat.S_ISREG(os.lstat(path).st_mode):
                        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                        found.append(path)
    if not found:
        raise Refused("nothing")
    return sorted(found)
