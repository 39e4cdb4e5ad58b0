# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attacks on processes outside, by their pids, their names and what /proc tells of them."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal

from attack import Facts, Refused, any_of, attack
from syscalls import checked, libc, syscall

_PTRACE_SEIZE = 0x4206


def pids() -> list[str]:
    return [entry for entry in os.listdir("/proc") if entry.isdigit()]


def _command_line(pid: int | str) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().decode(errors="replace")
    return ""


def _unless_own(facts: Facts, pid: int) -> None:
    """A pid of the host's may be in use in here as well: that would be the wrong process."""
    command = _command_line(pid)
    if command and not any(stranger["marker"] in command for stranger in facts["strangers"]):
        raise Refused(f"pid {pid} is one of our own")


def _on_each_stranger(facts: Facts, action) -> list[str]:
    def on(pid: int) -> None:
        _unless_own(facts, pid)
        action(pid)

    return any_of({str(s["host_pid"]): lambda pid=s["host_pid"]: on(pid) for s in facts["strangers"]})


@attack()
def see_processes_of_others(facts: Facts) -> list[str]:
    markers = [stranger["marker"] for stranger in facts["strangers"]]
    seen = [
        pid for pid in pids() if any(marker in _command_line(pid) for marker in markers) and int(pid) != os.getpid()
    ]
    if not seen:
        raise Refused(f"{len(pids())} processes, all our own")
    return seen


@attack()
def signal_processes_of_others(facts: Facts) -> list[str]:
    return _on_each_stranger(facts, lambda pid: os.kill(pid, 0))


@attack()
def signal_groups_of_others(facts: Facts) -> list[str]:
    return _on_each_stranger(facts, lambda pid: os.killpg(pid, 0))


@attack()
def trace_processes_of_others(facts: Facts) -> list[str]:
    return _on_each_stranger(facts, lambda pid: checked(libc.ptrace(_PTRACE_SEIZE, pid, None, None), "ptrace"))


@attack()
def read_memory_of_others(facts: Facts) -> list[str]:
    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    buffer = ctypes.create_string_buffer(8)
    here, there = Vector(ctypes.addressof(buffer), 8), Vector(4096, 8)

    def peek(pid: int) -> None:
        try:
            syscall("process_vm_readv", pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
        except OSError as error:
            if error.errno != errno.EFAULT:  # permitted, and nothing there
                raise

    return _on_each_stranger(facts, peek)


@attack()
def take_descriptors_of_others(facts: Facts) -> list[str]:
    return _on_each_stranger(facts, lambda pid: syscall("pidfd_getfd", os.pidfd_open(pid), 0, 0))


@attack()
def change_priority_of_others(facts: Facts) -> list[str]:
    return _on_each_stranger(facts, lambda pid: os.getpriority(os.PRIO_PROCESS, pid))


@attack()
def find_the_host_in_proc(facts: Facts) -> list[str]:
    """A root, working directory or descriptor of any process in sight that leads to the host's tree."""
    found = []
    for pid in pids():
        links = [f"/proc/{pid}/root", f"/proc/{pid}/cwd"]
        with contextlib.suppress(OSError):
            links += [f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd")]
        for link in links:
            for way in (facts["host_file"], "../" * 32 + facts["host_file"]):
                with contextlib.suppress(OSError):
                    os.stat(f"{link}/{way}")
                    found.append(link)
    if not found:
        raise Refused("no way to the host's root")
    return sorted(set(found))


@attack()
def share_namespaces_with_the_host(facts: Facts) -> list[str]:
    found = set()
    for pid in pids():
        for kind, number in facts["host_namespaces"].items():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{pid}/ns/{kind}").st_ino == number:
                    found.add(kind)
    if not found:
        raise Refused("none in common")
    return sorted(found)


@attack()
def find_descriptors_in_init(facts: Facts) -> list[str]:
    """Directories, files and devices that pid 1 holds open besides /dev/null: an app's init needs none."""
    held = []
    for fd in os.listdir("/proc/1/fd"):
        target = os.readlink(f"/proc/1/fd/{fd}")
        harmless = target.startswith(("anon_inode:", "pipe:", "socket:")) or target == "/dev/null"
        if not (harmless or (fd in ("1", "2") and target.endswith("/output"))):
            held.append(f"{fd} -> {target}")
    if not held:
        raise Refused("nothing")
    return held


@attack(errno.EINVAL)
def map_ids_of_the_host(facts: Facts) -> list[str]:
    """An id of the host's root or of its users, in the map that we live in."""
    with open("/proc/self/uid_map") as users, open("/proc/self/gid_map") as groups:
        lines = users.readlines() + groups.readlines()
    mapped = [line.split() for line in lines if int(line.split()[1]) < 65536]
    if not mapped:
        raise Refused(" ".join(lines[0].split()))
    return mapped


@attack(errno.EINVAL)
def take_unmapped_ids(facts: Facts) -> list[str]:
    return any_of(
        {
            "setuid": lambda: os.setuid(70000),
            "setgid": lambda: os.setgid(70000),
            "setgroups": lambda: os.setgroups([70000]),
            "chown": lambda: _chown("/tmp/escape/chown", 70000),
        },
        frozenset({errno.EINVAL, errno.EPERM}),
    )


def _chown(path: str, uid: int) -> None:
    open(path, "w").close()
    try:
        os.chown(path, uid, uid)
    finally:
        os.unlink(path)


@attack()
def outlive_a_signal_to_init(facts: Facts) -> str:
    """SIGKILL from inside does nothing to the init of a pid namespace (pid_namespaces(7))."""
    os.kill(1, signal.SIGKILL)
    with open("/proc/1/stat") as file:
        if file.read().rpartition(")")[2].split()[0] in "SRD":
            raise Refused("init lives on")
    return "init is dead"
