# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Attacks on processes outside, by their pids, their names and what /proc tells of them."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
from collections.abc import Callable
from functools import partial

from .attack import NOBODY, Facts, Missing, Refused, any_of, any_of_these, attack
from .calls import can_open, syscall
from .decoy import waiting
from .expectations import always, lent_init, never, sees_host_stack, shared_ids, shares_ids, withdrawn

_PTRACE_SEIZE, _PTRACE_DETACH = 0x4206, 17
_ALL_NAMESPACES = 0x7E020000
_ALL_IDS = (1 << 32) - 1
_OF_OTHERS = ("mem", "environ", "maps", "auxv", "root", "cwd", "exe", "ns/mnt")


def pids() -> list[str]:
    """Every process in sight."""
    return [entry for entry in os.listdir("/proc") if entry.isdigit()]


def is_host_root(facts: Facts, path: str) -> bool:
    """Whether a path leads to the directory that is the host's root."""
    with contextlib.suppress(OSError):
        status = os.stat(path)
        return bool([status.st_dev, status.st_ino] == facts["host_root"])
    return False


def _command_line(pid: int | str) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().decode(errors="replace")
    return ""


def _unless_own(facts: Facts, pid: int) -> None:
    """A pid of the host's may be in use in here as well: that would be the wrong process."""
    command = _command_line(pid)
    if command and not any(stranger["marker"] in command for stranger in facts["strangers"]):
        raise Refused(f"pid {pid} is one of our own")


def _on_each_stranger(facts: Facts, action: Callable[[int], object]) -> list[str]:
    def on(pid: str) -> None:
        _unless_own(facts, int(pid))
        action(int(pid))

    return any_of_these((str(stranger["host_pid"]) for stranger in facts["strangers"]), on)


@attack(never)
def see_processes_of_others(facts: Facts) -> list[str]:
    """Find processes of the host by their command lines in /proc."""
    markers = [stranger["marker"] for stranger in facts["strangers"]]
    seen = [
        pid for pid in pids() if any(marker in _command_line(pid) for marker in markers) and int(pid) != os.getpid()
    ]
    if not seen:
        raise Refused(f"{len(pids())} processes, all our own")
    return seen


@attack(never)
def signal_processes_of_others(facts: Facts) -> list[str]:
    """Signal a process outside by its pid (kill(2), signal 0)."""
    return _on_each_stranger(facts, lambda pid: os.kill(pid, 0))


@attack(never)
def signal_groups_of_others(facts: Facts) -> list[str]:
    """Signal a process group outside (killpg(3), signal 0)."""
    return _on_each_stranger(facts, lambda pid: os.killpg(pid, 0))


@attack(never)
def open_pidfds_of_others(facts: Facts) -> list[str]:
    """Get hold of a process outside by pidfd_open(2)."""
    return _on_each_stranger(facts, lambda pid: os.close(syscall("pidfd_open", pid, 0)))


def _seize(pid: int) -> None:
    syscall("ptrace", _PTRACE_SEIZE, pid, 0, 0)


@attack(never)
def trace_processes_of_others(facts: Facts) -> list[str]:
    """ptrace(2) a process outside."""
    return _on_each_stranger(facts, _seize)


class _Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def _transfer(name: str, pid: int) -> None:
    """To or from an address where nothing is: who gets to hear of that (EFAULT) had the permission."""
    buffer = ctypes.create_string_buffer(8)
    here, there = _Vector(ctypes.addressof(buffer), 8), _Vector(4096, 8)
    try:
        syscall(name, pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise


@attack(never)
def read_memory_of_others(facts: Facts) -> list[str]:
    """Read memory of a process outside (process_vm_readv(2))."""
    return _on_each_stranger(facts, lambda pid: _transfer("process_vm_readv", pid))


@attack(never)
def write_memory_of_others(facts: Facts) -> list[str]:
    """Write into memory of a process outside (process_vm_writev(2))."""
    return _on_each_stranger(facts, lambda pid: _transfer("process_vm_writev", pid))


@attack(never)
def take_descriptors_of_others(facts: Facts) -> list[str]:
    """Take a descriptor of a process outside (pidfd_getfd(2))."""
    return _on_each_stranger(facts, lambda pid: syscall("pidfd_getfd", syscall("pidfd_open", pid, 0), 0, 0))


@attack(never)
def enter_namespaces_of_others(facts: Facts) -> list[str]:
    """Join all namespaces of a process outside (setns(2) with a pidfd)."""
    return _on_each_stranger(facts, lambda pid: syscall("setns", syscall("pidfd_open", pid, 0), _ALL_NAMESPACES))


@attack(never)
def change_priority_of_others(facts: Facts) -> list[str]:
    """Ask for the priority of a process outside, which who may ask may lower."""
    return _on_each_stranger(facts, lambda pid: os.getpriority(os.PRIO_PROCESS, pid))


@attack(never)
def move_processors_of_others(facts: Facts) -> list[str]:
    """Set the processors of a process outside to what they are (sched_setaffinity(2))."""
    return _on_each_stranger(facts, lambda pid: os.sched_setaffinity(pid, os.sched_getaffinity(pid)))


@attack(never)
def limit_processes_of_others(facts: Facts) -> list[str]:
    """Read and write the limits of a process outside (prlimit(2))."""
    return _on_each_stranger(facts, lambda pid: resource.prlimit(pid, resource.RLIMIT_CORE))


@attack(never)
def find_the_host_in_proc(facts: Facts) -> list[str]:
    """A root, working directory or descriptor of a process in sight that leads to the host's tree (/proc/PID/root)."""
    found = []
    for pid in pids():
        links = [f"/proc/{pid}/root", f"/proc/{pid}/cwd"]
        with contextlib.suppress(OSError):
            links += [f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd")]
        for link in links:
            found += [way for way in (link, f"{link}/{'../' * 32}") if is_host_root(facts, way)]
    if not found:
        raise Refused("no way to the host's root")
    return sorted(set(found))


def _common_namespaces(facts: Facts) -> set[str]:
    found = set()
    for pid in pids():
        for kind, number in facts["host_namespaces"].items():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{pid}/ns/{kind}").st_ino == number:
                    found.add(kind)
    return found


@attack(never)
def share_namespaces_with_the_host(facts: Facts) -> list[str]:
    """A process in sight that is in a namespace of the host's, users and the network aside."""
    found = _common_namespaces(facts) - {"net", "user"}
    if not found:
        raise Refused("none in common")
    return sorted(found)


@attack(shares_ids)
def share_users_with_the_host(facts: Facts) -> str:
    """A process in sight that is in the host's user namespace."""
    if "user" not in _common_namespaces(facts):
        raise Refused("users of our own")
    return "user"


@attack(sees_host_stack)
def share_the_network_with_the_host(facts: Facts) -> str:
    """A process in sight that is in the host's network namespace."""
    if "net" not in _common_namespaces(facts):
        raise Refused("a network of our own")
    return "net"


@attack(lent_init)
def find_descriptors_in_init(facts: Facts) -> list[str]:
    """Directories, files and devices that pid 1 holds open besides /dev/null; a lent init needs none."""
    held = []
    for fd in os.listdir("/proc/1/fd"):
        target = os.readlink(f"/proc/1/fd/{fd}")
        harmless = target.startswith(("anon_inode:", "pipe:", "socket:")) or target == "/dev/null"
        if not (harmless or (fd in ("1", "2") and target.endswith("/output"))):
            held.append(f"{fd} -> {target}")
    if not held:
        raise Refused("nothing")
    return held


@attack(never)
def keep_descriptors_of_the_engine(facts: Facts) -> list[str]:
    """A descriptor that whoever enters has left open (CVE-2024-21626), or a directory outside of the root."""
    held = [f"cwd {os.getcwd()}"] if not os.getcwd().startswith("/") else []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{fd}")
            own = target.startswith("pipe:") or target == "/dev/null" or target.endswith("/fd")
            if not own:
                held.append(f"{fd} -> {target}")
    if not held:
        raise Refused("pipes and the null device")
    return held


@attack(never)
def grab_who_enters(facts: Facts) -> list[str]:
    """Look into a process of the engine that has entered: memory, descriptors, root (CVE-2016-9962)."""
    pid = facts["entrant"]
    attempts: dict[str, Callable[[], object]] = {name: partial(can_open, f"/proc/{pid}/{name}") for name in _OF_OTHERS}
    attempts["fd"] = lambda: _follow_descriptors(pid)
    attempts["ptrace"] = lambda: _seize(pid)
    attempts["read memory"] = lambda: _transfer("process_vm_readv", pid)
    attempts["take a descriptor"] = lambda: syscall("pidfd_getfd", syscall("pidfd_open", pid, 0), 1, 0)
    os.stat(f"/proc/{pid}")
    return any_of(attempts)


def _follow_descriptors(pid: int) -> list[str]:
    """How many there are is told to whoever owns the process, and what they lead to is not."""
    return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]


@attack(shares_ids, errno.EINVAL)
def map_ids_of_the_host(facts: Facts) -> list[list[str]]:
    """An id of the host's root or of its users, in the map that we live in (user_namespaces(7))."""
    with open("/proc/self/uid_map") as users, open("/proc/self/gid_map") as groups:
        lines = users.readlines() + groups.readlines()
    mapped = [line.split() for line in lines if int(line.split()[1]) < 65536]
    if not mapped:
        raise Refused(" ".join(lines[0].split()))
    return mapped


@attack(shared_ids("SETUID", "SETGID", "CHOWN"), errno.EINVAL)
def take_unmapped_ids(facts: Facts) -> list[str]:
    """Become a user or group, or give a file to one, that the jail has no id for."""
    number = _first_unmapped()
    return any_of(
        {
            "setuid": lambda: os.setuid(number),
            "setgid": lambda: os.setgid(number),
            "setgroups": lambda: os.setgroups([number]),
            "chown": lambda: _give_away(f"{facts['scratch']}/unmapped", number),
        },
        frozenset({errno.EINVAL, errno.EPERM}),
    )


def _first_unmapped() -> int:
    """The id after the last one that we have; on the host, which has all of them, that of nobody in particular."""
    with open("/proc/self/uid_map") as file:
        end = max(int(first) + int(count) for first, _unused, count in map(str.split, file))
    return end if end < _ALL_IDS else 70000


def _give_away(path: str, uid: int) -> None:
    open(path, "w").close()
    try:
        os.chown(path, uid, uid)
    finally:
        os.unlink(path)


@attack(never)
def stop_init(facts: Facts) -> str:
    """Stop the jail's pid 1 by a signal from inside, and let it go on (pid_namespaces(7))."""
    os.kill(1, signal.SIGSTOP)
    with open("/proc/1/stat") as file:
        state = file.read().rpartition(")")[2].split()[0]
    if state not in "Tt":
        raise Refused("it takes no notice")
    os.kill(1, signal.SIGCONT)
    return "stopped"


@attack(always)
def signal_own_processes(facts: Facts) -> None:
    """Signal a process of our own."""
    with waiting("target") as pid:
        os.kill(pid, 0)


@attack(withdrawn("unprivileged_proc_debug", under_strict=False))
def trace_own_processes(facts: Facts) -> None:
    """Trace a process of our own, as a debugger does."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/yama/ptrace_scope") as file:
        if int(file.read()) > 1:
            raise Missing("the host lets nobody trace (kernel.yama.ptrace_scope)")
    with waiting("target") as pid:
        _seize(pid)


@attack(withdrawn("unprivileged_proc_debug", under_strict=False))
def read_memory_of_own_processes(facts: Facts) -> None:
    """Read memory of a process of our own (process_vm_readv(2))."""
    with waiting("target") as pid:
        _transfer("process_vm_readv", pid)


@attack(never, user=NOBODY)
def become_root_as_a_user(facts: Facts) -> list[str]:
    """As a user of the jail: take the ids of its root."""
    return any_of(
        {
            "setuid": lambda: os.setuid(0),
            "setgid": lambda: os.setgid(0),
            "setgroups": lambda: os.setgroups([0]),
        }
    )


@attack(never, user=NOBODY)
def signal_root_as_a_user(facts: Facts) -> None:
    """As a user of the jail: signal its pid 1."""
    os.kill(1, 0)


@attack(never, user=NOBODY)
def trace_root_as_a_user(facts: Facts) -> list[str]:
    """As a user of the jail: trace its pid 1, or read its memory."""
    return any_of(
        {
            "ptrace": lambda: _seize(1),
            "mem": lambda: can_open("/proc/1/mem"),
            "process_vm_readv": lambda: _transfer("process_vm_readv", 1),
        }
    )
