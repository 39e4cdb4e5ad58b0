# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Mapping
from typing import NamedTuple

from . import group_trees
from .errors import KernelError
from .files import closing, read_text

_REMOVE_POLL_SECONDS = 0.002
_LARGEST_EVENTS = 4096
_LEAF = "entered"
# A whole distribution has some 200 groups, and a container in a container in it is a dozen levels down.
_DEEPEST, _MOST_BELOW = 32, 2048


class Hierarchies(NamedTuple):
    """Where the cgroup hierarchies are mounted.

    ``unified`` is the version 2 tree. ``controllers`` maps each controller that can be used to the root of its
    hierarchy: that same tree on a unified host, trees of their own on a hybrid one (cgroups(7)). ``devices`` is the
    root of the version 1 controller of that name, empty where it is not mounted: only what
    has to be there is.
    """

    unified: str
    controllers: Mapping[str, str] = {}
    devices: str = ""

    def is_unified(self, controller: str) -> bool:
        """Whether a controller lives in the version 2 tree."""
        return self.controllers.get(controller) == self.unified

    @property
    def roots(self) -> list[str]:
        """Every hierarchy once, the version 2 tree first."""
        return list(dict.fromkeys([self.unified, *self.controllers.values()]))


# What a group is put into on a hybrid host; the other version 1 trees (net_cls, name=systemd) are left alone.
_VERSION_1 = ("memory", "pids", "cpu", "cpuacct", "cpuset", "blkio")


def find_hierarchies(mounts: str = "/proc/self/mounts") -> Hierarchies:
    """Read the mount table once; KernelError ENOENT where no version 2 tree is mounted."""
    unified = devices = ""
    controllers: dict[str, str] = {}
    for line in (read_text(mounts) or "").splitlines():
        path, fstype, options = line.split()[1:4]
        if fstype == "cgroup2":
            unified = unified or path
        elif fstype == "cgroup":
            for name in set(_VERSION_1).intersection(options.split(",")):
                controllers.setdefault(name, path)
            if "devices" in options.split(","):
                devices = devices or path
    if not unified:
        raise KernelError("find", "a cgroup version 2 mount", 2)
    for name in (read_text(f"{unified}/cgroup.controllers") or "").split():
        controllers["blkio" if name == "io" else name] = unified
    return Hierarchies(unified, controllers, devices)


def write(path: str, value: str) -> None:
    """Write a control file."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, value.encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise KernelError.from_os_error(f"write {value!r} to", path, error) from error


class Cgroup:
    """One control group by the same relative path in every hierarchy, for instance ``jails/web1``."""

    def __init__(self, hierarchies: Hierarchies, name: str) -> None:
        self.hierarchies = hierarchies
        self.name = name

    @property
    def unified(self) -> str:
        """Its directory in the version 2 tree."""
        return f"{self.hierarchies.unified}/{self.name}"

    @property
    def directories(self) -> list[str]:
        """Its directory in every hierarchy, whether it is there or not."""
        return [f"{root}/{self.name}" for root in self.hierarchies.roots]

    @property
    def devices(self) -> str:
        """Its directory in the hierarchy of the version 1 controller of devices, where that is mounted."""
        return f"{self.hierarchies.devices}/{self.name}"

    def directory(self, controller: str) -> str:
        """Its directory in the hierarchy of a controller; KernelError ENODEV where the host has none."""
        root = self.hierarchies.controllers.get(controller)
        if root is None:
            raise KernelError("use cgroup controller", controller, 19)
        return f"{root}/{self.name}"

    def is_whole(self) -> bool:
        """Whether it is there in every hierarchy.

        systemd removes what is empty from those that it has no use for, whoever has made it, each time it is told to
        reload its configuration (cg_trim_v1_controllers()).
        """
        return all(map(os.path.isdir, self.directories))

    def exists(self) -> bool:
        """Whether the group is there (in the version 2 tree)."""
        return os.path.isdir(self.unified)

    def create(self) -> None:
        """Make the group in every hierarchy, with the controllers switched on above it; an existing one is kept."""
        for root in self.hierarchies.roots:
            _make(root, self.name, unified=root == self.hierarchies.unified)

    def fork_member(self, *, below: bool = False) -> int:
        """Fork a child that is born in the version 2 group; see clone.fork_into. ``join_version_1`` is left to it.

        A version 2 group whose controllers were given to groups below it takes no process of its own any more
        (cgroups(7), "no internal processes"): an init that runs services does that. With ``below`` the child is in a
        group beside those, also before init has done so, which a process of ours in its way would prevent.
        """
        from .clone import fork_into

        return fork_into(self._make_place(below=below))

    def join(self, *, below: bool = False) -> None:
        """Move the calling process, which has one thread, into the group, in every hierarchy; see fork_member."""
        write(f"{self._make_place(below=below)}/cgroup.procs", "0")
        self.join_version_1()

    def join_version_1(self) -> bool:
        """The same in the version 1 hierarchies alone; whether one had lost the group, which has no limits there now.

        As a thread: for that the kernel does not stop the forks and exits of the whole host (Linux 5.5), which takes it
        ten milliseconds and more.
        """
        if self.is_held_by_controller():
            write(f"{self.devices}/tasks", "0")
        roots = [root for root in self.hierarchies.roots if root != self.hierarchies.unified]
        lost = [root for root in roots if self._join_as_thread(root)]
        return bool(lost)

    def _join_as_thread(self, root: str) -> bool:
        lost = False
        while True:
            try:
                write(f"{root}/{self.name}/tasks", "0")
                return lost
            except KernelError as error:
                if error.errno != 2:
                    raise
            lost = True
            _make(root, self.name, unified=False)

    def _make_place(self, *, below: bool) -> str:
        """The version 2 directory for a process of ours."""
        if not below:
            return self.unified
        directory = f"{self.unified}/{_LEAF}"
        try:
            os.mkdir(directory, 0o755)
        except FileExistsError:
            pass
        except OSError as error:
            raise KernelError.from_os_error("make cgroup", directory, error) from error
        return directory

    def is_held_by_controller(self) -> bool:
        """Whether the version 1 controller of devices has the group."""
        return bool(self.hierarchies.devices) and os.path.isdir(self.devices)

    def processes(self) -> list[int]:
        """Pids in the group and below, as this process's pid namespace sees them."""
        lists = (group_trees.read(fd, "cgroup.procs") for fd in group_trees.walk(self.unified))
        return [int(pid) for pids in lists for pid in pids.split()]

    def is_populated(self) -> bool:
        """Whether a process is left in the group or below."""
        return "populated 1" in read(f"{self.unified}/cgroup.events")

    def is_frozen(self) -> bool:
        """Whether all its processes are stopped by the freezer."""
        return "frozen 1" in read(f"{self.unified}/cgroup.events")

    def freeze(self, frozen: bool, *, timeout: float = 5.0) -> None:
        """Stop or continue all its processes; KernelError ETIMEDOUT when one does not stop in time."""
        write(f"{self.unified}/cgroup.freeze", "1" if frozen else "0")
        deadline = time.monotonic() + timeout
        while self.is_populated() and self.is_frozen() != frozen:
            if time.monotonic() > deadline:
                raise KernelError("freeze" if frozen else "thaw", self.unified, 110)
            time.sleep(_REMOVE_POLL_SECONDS)

    def kill(self) -> None:
        """Kill every process of the group and below at once (cgroup.kill, Linux 5.14; one by one before it)."""
        try:
            write(f"{self.unified}/cgroup.kill", "1")
        except KernelError as error:
            if error.errno != 2 or not self.exists():
                return
            self._kill_one_by_one()

    def _kill_one_by_one(self) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)

    def wait_empty(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds until no process is left; whether that came true."""
        try:
            fd = os.open(f"{self.unified}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        with closing(fd):
            return _wait_unpopulated(fd, time.monotonic() + timeout)

    def remove(self, *, timeout: float = 5.0) -> None:
        """Remove the group and those below it, in every hierarchy.

        EBUSY is retried until the deadline: a killed process holds its group until it is reaped (cgroups(7)).
        """
        deadline = time.monotonic() + timeout
        held = [self.devices] if self.is_held_by_controller() else []
        for directory in (*self.directories, *held):
            while not group_trees.remove(directory):
                if time.monotonic() > deadline:
                    raise KernelError("remove cgroup", directory, 16)
                time.sleep(_REMOVE_POLL_SECONDS)

    def delegate(self, uid: int, gid: int) -> None:
        """Let a user make groups below this one and move processes among them, but not touch its limits.

        There is an end to how many: each takes one of the 65,535 numbers that the host has for groups with a limit of
        memory (MEM_CGROUP_ID_MAX), and each level makes every change below it take longer.
        """
        for name, value in (("cgroup.max.depth", _DEEPEST), ("cgroup.max.descendants", _MOST_BELOW)):
            write(f"{self.unified}/{name}", str(value))
        for name in ("", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"):
            with contextlib.suppress(FileNotFoundError):
                os.chown(f"{self.unified}/{name}".rstrip("/"), uid, gid)


def _wait_unpopulated(events: int, deadline: float) -> bool:
    """The kernel wakes up whoever polls cgroup.events when it changes (cgroup-v2.rst, "Populated notification")."""
    watcher = select.poll()
    watcher.register(events, select.POLLPRI)
    while time.monotonic() <= deadline:
        try:
            if b"populated 1" not in os.pread(events, _LARGEST_EVENTS, 0):
                return True
        except OSError:
            # ENODEV: the group is gone.
            return True
        watcher.poll(max(0.0, deadline - time.monotonic()) * 1000)
    return False


def read(path: str) -> str:
    """Content of a control file; empty when the group is gone (ENODEV while it goes)."""
    try:
        return read_text(path) or ""
    except KernelError as error:
        if error.errno == 19:
            return ""
        raise


def _make(root: str, name: str, *, unified: bool) -> None:
    """Each hierarchy has a chore of its own: controllers are offered in version 2, a cpuset is filled in version 1."""
    path = root
    for part in name.split("/"):
        if unified and not os.path.isdir(f"{path}/{part}"):
            _enable_controllers(path)
        path = f"{path}/{part}"
        try:
            os.mkdir(path)
            # Whatever our umask is: what is in the group may read its limits and its usage.
            os.chmod(path, 0o755)
        except FileExistsError:
            pass
        except OSError as error:
            raise KernelError.from_os_error("make cgroup", path, error) from error
        if not unified:
            _inherit_cpuset(path)


def _enable_controllers(path: str) -> None:
    """Offer the controllers that a group has to its children."""
    available = set(read(f"{path}/cgroup.controllers").split())
    wanted = available & {"cpu", "cpuset", "io", "memory", "pids"}
    missing = wanted - set(read(f"{path}/cgroup.subtree_control").split())
    if missing:
        write(f"{path}/cgroup.subtree_control", " ".join(f"+{name}" for name in sorted(missing)))


def _inherit_cpuset(path: str) -> None:
    """A new cpuset is empty and takes no process until it has processors and memory nodes (cpuset(7)).

    Also of a group that is there already: whoever has made it a moment ago may not have come to this yet.
    """
    if not os.path.exists(f"{path}/cpuset.cpus"):
        return
    for name in ("cpuset.cpus", "cpuset.mems"):
        own, above = f"{path}/{name}", f"{os.path.dirname(path)}/{name}"
        if not read(own).strip():
            write(own, read(above).strip())
