# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from itertools import groupby

from ..._kernel import mounts, paths
from ..._kernel.errors import KernelError
from ..._model.devices import Device

# Files and directories of /proc and /sys that tell of the host or steer it. runc, nspawn and moby hide these; a user
# namespace takes the sting out of most, but kallsyms, interrupts and their like stay readable to everyone.
MASKED = (
    "proc/acpi",
    "proc/asound",
    "proc/config.gz",
    "proc/interrupts",
    "proc/iomem",
    "proc/ioports",
    "proc/kallsyms",
    "proc/kcore",
    "proc/key-users",
    "proc/keys",
    "proc/kmsg",
    "proc/kpagecgroup",
    "proc/kpagecount",
    "proc/kpageflags",
    "proc/latency_stats",
    "proc/modules",
    "proc/sched_debug",
    "proc/scsi",
    "proc/slabinfo",
    "proc/sysrq-trigger",
    "proc/timer_list",
    "proc/timer_stats",
    "proc/vmallocinfo",
    "sys/devices/virtual/powercap",
    "sys/firmware",
    "sys/fs/bpf",
    "sys/fs/selinux",
    "sys/kernel/debug",
    "sys/kernel/notes",
    "sys/kernel/security",
    "sys/kernel/tracing",
    "sys/kernel/vmcoreinfo",
)
# Readable to the host's root alone, who is the root of a jail without a user namespace.
MASKED_ON_HOST = (
    "proc/allocinfo",
    "proc/dynamic_debug",
    "proc/pagetypeinfo",
    "proc/sys/net/ipv4/tcp_fastopen_key",
    "proc/tty/driver",
    "proc/vmcore",
)
# All of /sys that such a jail sees, as far as it is there: everywhere else are files of the hardware's that its root
# could read. What is not listed is not there, whatever a new kernel brings.
SYS_ON_HOST = (
    "class/net",
    "devices/system/cpu/online",
    "devices/system/cpu/possible",
    "devices/system/cpu/present",
    "devices/system/node/online",
    "devices/system/node/possible",
    "devices/virtual/net",
    "kernel/mm/hugepages",
    "kernel/mm/transparent_hugepage",
)
# /proc/pressure takes orders from everybody (PSI triggers).
READ_ONLY = ("proc/bus", "proc/fs", "proc/irq", "proc/pressure", "proc/sys")

_NO_DEVICES = mounts.ATTR_NOSUID | mounts.ATTR_NODEV
_NO_PROGRAMS = _NO_DEVICES | mounts.ATTR_NOEXEC


_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
# In /run, which the host's root makes for every jail, and not in /dev, which some make themselves.
_SYSLOG = "run/.syslog"
_TERMINALS = "512"
_TTY_GROUP = 5
_EMPTY = (("size", "0"), ("nr_inodes", "1"))


class Tree:
    """The mount tree of a jail while it is built, below the descriptor of its root.

    Every path in it is resolved by openat2 inside that root, so that no link of the image leads a mount
    astray. ``id_base`` is what the host calls the jail's root; 0 when the builder is already inside the jail's
    user namespace.
    """

    def __init__(self, root: int, *, id_base: int) -> None:
        self.root = root
        self.id_base = id_base

    def attach(self, detached: int, path: str, *, directory: bool = True) -> None:
        """Attach a detached mount, on a mount point that is made where it is missing; closes the descriptor."""
        try:
            target = self._mount_point(path, directory=directory)
            try:
                mounts.attach(detached, target)
            except KernelError as error:
                raise KernelError("mount on", f"/{path}", error.errno) from error
            finally:
                os.close(target)
        finally:
            os.close(detached)

    def _mount_point(self, path: str, *, directory: bool) -> int:
        make = paths.make_directory if directory else paths.make_file
        return make(self.root, path, owner=(self.id_base, self.id_base))

    def filesystem(self, fstype: str, path: str, options: dict[str, str | None], attributes: int) -> None:
        """Attach a new file system instance."""
        self.attach(mounts.new_filesystem(fstype, options.items(), attributes=attributes), path)

    def tmpfs(self, path: str, mode: str, attributes: int = _NO_DEVICES, **options: str) -> None:
        """Attach a tmpfs that belongs to the jail's root."""
        owner = {"uid": str(self.id_base), "gid": str(self.id_base)}
        self.filesystem("tmpfs", path, {"mode": mode, **owner, **options}, attributes)

    def proc(self, *, read_only: bool = False) -> None:
        """Attach /proc of the pid namespace that we are in."""
        self.filesystem("proc", "proc", {}, _NO_PROGRAMS | (mounts.ATTR_RDONLY if read_only else 0))

    def sys(self) -> None:
        """Attach /sys of the network namespace that we are in, if we have power over its owner."""
        self.filesystem("sysfs", "sys", {}, _NO_PROGRAMS | mounts.ATTR_RDONLY)

    def parts_of_sys(self, parts: Iterable[str]) -> None:
        """Attach a /sys that consists of these parts, and a place for control groups; nobody can add to it."""
        whole = mounts.new_filesystem("sysfs", (), attributes=_NO_PROGRAMS | mounts.ATTR_RDONLY)
        place = self._mount_point("sys", directory=True)
        # Before Linux 6.15 a mount can be cloned only once it is attached.
        mounts.attach(whole, place)
        found = {path: clone for path in parts for clone in [_clone_if_there(whole, path)] if clone is not None}
        mounts.unmount(f"/proc/self/fd/{whole}")
        os.close(whole)
        frame = mounts.new_filesystem("tmpfs", (("mode", "755"), ("size", "64k")), attributes=_NO_PROGRAMS)
        os.close(paths.make_directory(frame, "fs/cgroup"))
        for path, (_unused, directory) in found.items():
            os.close((paths.make_directory if directory else paths.make_file)(frame, path))
        mounts.set_attributes(frame, mounts.ATTR_RDONLY)
        mounts.attach(frame, place)
        for handle in (frame, place):
            os.close(handle)
        for path, (clone, directory) in found.items():
            self.attach(clone, f"sys/{path}", directory=directory)

    def control_groups(self, *, read_only: bool) -> None:
        """Attach the version 2 tree, cut off at our own group by the cgroup namespace that we are in."""
        attributes = _NO_PROGRAMS | (mounts.ATTR_RDONLY if read_only else 0)
        self.filesystem("cgroup2", "sys/fs/cgroup", {}, attributes)

    def run_directory(self) -> None:
        """Attach /run: empty at every start, and charged to the jail's memory limit."""
        self.tmpfs("run", "755", size="20%")

    def syslog(self, source: str) -> None:
        """Attach the directory of the socket for /dev/log; nobody in the jail changes what is in it."""
        clone = mounts.clone_tree(mounts.AT_FDCWD, source)
        mounts.set_attributes(clone, _NO_PROGRAMS | mounts.ATTR_RDONLY)
        self.attach(clone, _SYSLOG)

    def shared_memory(self) -> None:
        """Attach /dev/shm, likewise (shm_overview(7))."""
        self.tmpfs("dev/shm", "1777")

    def message_queues(self) -> None:
        """Attach POSIX message queues of the ipc namespace that we are in (mq_overview(7))."""
        self.filesystem("mqueue", "dev/mqueue", {}, _NO_PROGRAMS)

    def device_directory(self, *, logs: bool) -> None:
        """Attach /dev, with nothing in it but links and a terminal multiplexer of its own (devpts newinstance).

        That has an end, as all jails of a host share its terminals (kernel.pty.max). ``logs`` is for a jail with a
        directory as of syslog().
        """
        self.tmpfs("dev", "755", mounts.ATTR_NOSUID | mounts.ATTR_NOEXEC, size="512k", nr_inodes="128")
        dev = paths.open_beneath(self.root, "dev", os.O_PATH | os.O_DIRECTORY)
        try:
            links = {**_DEVICE_LINKS, "log": f"/{_SYSLOG}/log"} if logs else _DEVICE_LINKS
            for name, target in links.items():
                os.symlink(target, name, dir_fd=dev)
        finally:
            os.close(dev)
        owner = {"uid": str(self.id_base)} if self.id_base else {}
        terminal = {"newinstance": None, "ptmxmode": "0666", "mode": "0620", "gid": str(self.id_base + _TTY_GROUP)}
        terminal["max"] = _TERMINALS
        self.filesystem("devpts", "dev/pts", {**terminal, **owner}, mounts.ATTR_NOSUID | mounts.ATTR_NOEXEC)

    def make_devices(self, devices: Iterable[Device]) -> None:
        """Make device nodes of the jail's own: what it does to their owner and mode touches nobody else."""
        owner = (self.id_base, self.id_base)
        for place, group in groupby(devices, key=lambda device: os.path.dirname(device.path)):
            directory = paths.make_directory(self.root, place, owner=owner)
            try:
                for device in group:
                    make_node(directory, os.path.basename(device.path), device, owner=self.id_base)
            finally:
                os.close(directory)

    def attach_devices(self, nodes: dict[str, int]) -> None:
        """Attach clones of the host's nodes: mknod(2) is refused inside a user namespace, whose root does not own
        these inodes and so cannot change them."""
        for path, node in nodes.items():
            self.attach(node, path, directory=False)

    def hide_kernel(self, null: int) -> None:
        """Cover what tells of the host or steers it; ``null`` is a null device, as an O_PATH descriptor."""
        self.mask(MASKED, null)
        for path in READ_ONLY:
            self.make_read_only(path, _NO_PROGRAMS)

    def mask(self, masked: Iterable[str], null: int) -> None:
        """Cover files by an empty device and directories by an empty read-only tmpfs, as far as they are there."""
        found = [fd for fd in map(self._find, masked) if fd is not None]
        directories = [fd for fd in found if stat.S_ISDIR(os.fstat(fd).st_mode)]
        if directories:
            empty = mounts.new_filesystem("tmpfs", _EMPTY, attributes=mounts.ATTR_RDONLY)
            # One for all of them: before Linux 6.15 a mount can be cloned only once it is attached.
            mounts.attach(empty, directories[0])
            for target in directories[1:]:
                _cover(target, empty)
            os.close(empty)
        for target in found:
            if target not in directories:
                _cover(target, null)
            os.close(target)

    def _find(self, path: str) -> int | None:
        try:
            return paths.open_beneath(self.root, path, os.O_PATH)
        except KernelError:
            return None

    def make_read_only(self, path: str, attributes: int = 0) -> None:
        """Take from everybody the right to change something and what is mounted below it, if it is there."""
        target = self._find(path)
        if target is None:
            return
        try:
            clone = mounts.clone_tree(target, "", recursive=True)
            mounts.set_attributes(clone, attributes | mounts.ATTR_RDONLY, recursive=True)
            mounts.attach(clone, target)
            os.close(clone)
        finally:
            os.close(target)


def _clone_if_there(root: int, path: str) -> tuple[int, bool] | None:
    """A clone of a part of a mount, and whether it is a directory."""
    try:
        clone = mounts.clone_tree(root, path)
    except KernelError:
        return None
    return clone, stat.S_ISDIR(os.fstat(clone).st_mode)


def make_node(directory: int, name: str, device: Device, *, owner: int) -> None:
    """Make the node of a device, whatever our umask is."""
    kind = stat.S_IFBLK if device.block else stat.S_IFCHR
    try:
        os.mknod(name, kind | device.mode, os.makedev(device.major, device.minor), dir_fd=directory)
        os.chown(name, owner, owner, dir_fd=directory, follow_symlinks=False)
        os.chmod(name, device.mode, dir_fd=directory)
    except OSError as error:
        raise KernelError.from_os_error("make device", device.path, error) from error


def _cover(target: int, mount: int) -> None:
    clone = mounts.clone_tree(mount, "")
    mounts.attach(clone, target)
    os.close(clone)
