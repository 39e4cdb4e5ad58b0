# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attacks on limits: those of the control group, and those of each process."""

from __future__ import annotations

import errno
import os
import resource

from attack import Facts, Refused, any_of, attack
from syscalls import libc, mount

_NO = frozenset({errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOENT, errno.EINVAL, errno.EBUSY, errno.ENODEV})
_DELEGATED = frozenset({"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"})


def _open_for_writing(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY))


@attack()
def raise_limits_of_the_group(facts: Facts) -> list[str]:
    """Every control file of our own group but those that were given to us to make groups below it."""
    root = "/sys/fs/cgroup"
    names = [name for name in os.listdir(root) if os.path.isfile(f"{root}/{name}") and name not in _DELEGATED]
    return any_of({name: lambda name=name: _open_for_writing(f"{root}/{name}") for name in names}, _NO)


@attack()
def leave_the_group(facts: Facts) -> list[str]:
    """Into a group above: there is no path to one, and no mount that would show one."""
    paths = ["/sys/fs/cgroup/../cgroup.procs", "/sys/fs/cgroup/../../fs/cgroup/unified/cgroup.procs"]
    paths += [f"/proc/1/root/sys/fs/cgroup/{name}/cgroup.procs" for name in ("unified", "memory", "pids", "..")]
    return any_of({path: lambda path=path: _open_for_writing(path) for path in paths}, _NO)


@attack(errno.ENODEV, errno.EBUSY, errno.EINVAL)
def raise_limits_by_version_1(facts: Facts) -> list[str]:
    """Mount each controller's own hierarchy, and open what would raise a limit or run a program there."""
    files = {
        "memory": ("memory.limit_in_bytes", "cgroup.procs", "release_agent", "memory.oom_control"),
        "pids": ("pids.max", "cgroup.procs", "release_agent", "notify_on_release"),
        "devices": ("devices.allow", "cgroup.procs"),
        "cpu": ("cpu.cfs_quota_us", "cgroup.procs"),
    }

    def attempt(controller: str, name: str) -> None:
        target = "/tmp/escape/controller"
        os.makedirs(target, exist_ok=True)
        mount("none", target, "cgroup", 0, controller)
        try:
            _open_for_writing(f"{target}/{name}")
        finally:
            libc.umount2(target.encode(), 2)

    attempts = {f"{c}/{n}": lambda c=c, n=n: attempt(c, n) for c, names in files.items() for n in names}
    return any_of(attempts, _NO)


@attack(errno.EINVAL)
def raise_process_limits(facts: Facts) -> list[str]:
    def raise_limit(kind: int) -> None:
        soft, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY:
            raise Refused("was never limited")
        resource.setrlimit(kind, (soft, hard + 1))

    kinds = {"nofile": resource.RLIMIT_NOFILE, "memlock": resource.RLIMIT_MEMLOCK, "nice": resource.RLIMIT_NICE}

    def attempt(kind: int) -> None:
        try:
            raise_limit(kind)
        except ValueError as error:  # what Python makes of EPERM
            raise PermissionError(errno.EPERM, str(error)) from error

    return any_of({name: lambda kind=kind: attempt(kind) for name, kind in kinds.items()})


@attack()
def take_more_than_a_share(facts: Facts) -> list[str]:
    """Priorities above everybody else's, and safety from the kernel's memory killer."""

    def spare_ourselves() -> None:
        with open("/proc/self/oom_score_adj") as file:
            now = int(file.read())
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(max(-1000, now - 500)))

    return any_of(
        {
            "nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
            "real time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
            "oom_score_adj": spare_ourselves,
        }
    )
