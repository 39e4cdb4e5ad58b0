# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Attacks on limits: those of the control group, and those of each process."""

from __future__ import annotations

import errno
import glob
import os
import resource
from functools import partial

from .attack import Facts, Missing, Refused, any_of, any_of_these, attack
from .calls import can_write, mount, syscall, umount
from .decoy import waiting
from .expectations import limit, never, own_mounts, shares_ids

_GROUP = "/sys/fs/cgroup"
_NO = frozenset({errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOENT, errno.EINVAL, errno.EBUSY, errno.ENODEV})
_DELEGATED = frozenset({"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"})
_DEEP = 100
_IO_REAL_TIME = 1 << 13


@attack(never)
def raise_limits_of_the_group(facts: Facts) -> list[str]:
    """Every control file of our own group but those that were given to us to make groups below it."""
    names = [name for name in os.listdir(_GROUP) if os.path.isfile(f"{_GROUP}/{name}") and name not in _DELEGATED]
    return any_of_these((f"{_GROUP}/{name}" for name in names), can_write, _NO)


@attack(shares_ids)
def use_up_the_hosts_account(facts: Facts) -> int:
    """Namespaces, inotify, message queues and signals are counted by user, and also for who has made ours: for root?"""
    maker = facts["maker"]
    if maker is None:
        raise Missing("the jail has ended")
    if maker != 0:
        raise Refused(f"counted for {maker}, who is nobody else")
    return int(maker)


@attack(never)
def leave_the_group(facts: Facts) -> list[str]:
    """Into a group above: there is no path to one, and no mount that would show one."""
    paths = [f"{_GROUP}/../cgroup.procs", f"{_GROUP}/../../fs/cgroup/unified/cgroup.procs"]
    paths += [f"/proc/1/root{_GROUP}/{name}/cgroup.procs" for name in ("unified", "memory", "pids", "..")]
    return any_of_these(paths, can_write, _NO)


@attack(own_mounts, errno.EEXIST)
def make_groups_below(facts: Facts) -> None:
    """A group below the jail's own, as systemd makes."""
    path = f"{_GROUP}/verify-{os.getpid()}"
    os.mkdir(path)
    os.rmdir(path)


@attack(never, errno.EAGAIN)
def nest_groups_without_end(facts: Facts) -> int:
    """Groups in groups, so deep that no path leads there: who cleans up after us has to find the way."""
    above, made = f"{_GROUP}/verify-{os.getpid()}", 0
    names = [f"{above}{'/d' * depth}" for depth in range(_DEEP)]
    try:
        for name in names:
            os.mkdir(name)
            made += 1
    finally:
        for name in reversed(names[:made]):
            os.rmdir(name)
    return made


@attack(never, errno.ENODEV, errno.EBUSY, errno.EINVAL)
def raise_limits_by_version_1(facts: Facts) -> list[str]:
    """Mount each controller's own hierarchy, and open what would raise a limit or run a program there."""
    files = {
        "memory": ("memory.limit_in_bytes", "cgroup.procs", "release_agent", "memory.oom_control"),
        "pids": ("pids.max", "cgroup.procs", "release_agent", "notify_on_release"),
        "devices": ("devices.allow", "cgroup.procs"),
        "cpu": ("cpu.cfs_quota_us", "cgroup.procs"),
        "cpuset": ("cpuset.cpus", "cgroup.procs"),
    }

    def attempt(controller: str, name: str) -> None:
        target = f"{facts['scratch']}/controller"
        os.makedirs(target, exist_ok=True)
        mount("none", target, "cgroup", 0, controller)
        try:
            can_write(f"{target}/{name}")
        finally:
            umount(target)

    return any_of({f"{c}/{n}": partial(attempt, c, n) for c, names in files.items() for n in names}, _NO)


@attack(never)
def write_a_release_agent(facts: Facts) -> list[str]:
    """The program that the kernel runs as the host's root when a group of version 1 is empty (CVE-2022-0492)."""
    paths = ["/sys/fs/cgroup/release_agent", *glob.glob("/sys/fs/cgroup/*/release_agent")]
    return any_of_these(paths, can_write, _NO)


def _raise_limit(name: str) -> None:
    kind = getattr(resource, f"RLIMIT_{name}")
    soft, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY:
        raise Missing(f"{name.lower()} is not limited")
    try:
        resource.setrlimit(kind, (soft, hard + 1))
    except ValueError as error:  # what Python makes of EPERM
        raise PermissionError(errno.EPERM, str(error)) from error


@attack(never)
def raise_the_limit_of_files(facts: Facts) -> None:
    """More open files than the hard limit (setrlimit(2))."""
    _raise_limit("NOFILE")


@attack(never)
def raise_the_limit_of_locked_memory(facts: Facts) -> None:
    """More locked memory than the hard limit."""
    _raise_limit("MEMLOCK")


@attack(never)
def raise_the_limit_of_nice(facts: Facts) -> None:
    """A higher priority than the hard limit."""
    _raise_limit("NICE")


@attack(limit("nice"))
def raise_our_priority(facts: Facts) -> None:
    """A priority above everybody else's (setpriority(2))."""
    os.setpriority(os.PRIO_PROCESS, 0, -5)


@attack(limit("rtprio"))
def become_a_real_time_process(facts: Facts) -> None:
    """A process that nobody else interrupts (SCHED_FIFO)."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


@attack(never)
def put_our_disk_traffic_first(facts: Facts) -> None:
    """Real-time priority on the disk (ioprio_set(2))."""
    syscall("ioprio_set", 1, 0, _IO_REAL_TIME)


@attack(never)
def be_spared_by_the_memory_killer(facts: Facts) -> str:
    """Have another process die when memory is short (oom_score_adj)."""
    with waiting("target") as pid:
        path = f"/proc/{pid}/oom_score_adj"
        with open(path) as file:
            now = int(file.read())
        if now <= -1000:
            raise Refused("spared already")
        with open(path, "w") as file:
            file.write(str(max(-1000, now - 500)))
        return path
