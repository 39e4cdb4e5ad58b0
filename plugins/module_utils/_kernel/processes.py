# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Collection

from . import libc
from .errors import KernelError

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_KEYCTL_JOIN_SESSION_KEYRING = 1
_HIGHEST_DESCRIPTOR = 0xFFFFFFFF
# Of the first column of /proc/PID/limits.
_WIDTH_OF_NAME = 26
_SIGNALS_OF_LIBC = (32, 33)


def _prctl(what: str, option: int, value: int) -> None:
    libc.call("prctl", what, "prctl", option, ctypes.c_ulong(value), 0, 0, 0)


def set_undumpable() -> None:
    """Hide this process from ptrace(2) and /proc/PID/{exe,mem,fd,root} of everyone in the same user namespace.

    The kernel resets the flag at execve and at changes of uid and capabilities, so call it again after those
    (PR_SET_DUMPABLE(2const)). A Python process that enters a jail without it gives itself to the jail.
    """
    _prctl("PR_SET_DUMPABLE", _PR_SET_DUMPABLE, 0)


def set_parent_death_signal(number: int) -> None:
    """Have a signal sent to us when our parent dies; 0 clears it. Changes of credentials clear it as well."""
    _prctl("PR_SET_PDEATHSIG", _PR_SET_PDEATHSIG, number)


def die_with(parent: int) -> None:
    """Be killed when our parent dies, whose pid is ``parent``; it may be dead already, and then we go at once.

    In that order: who dies gives its children away before it looks for those that want a signal. In a pid namespace
    where our parent is not, getppid(2) tells nothing, and something that its death closes has to.
    """
    set_parent_death_signal(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(128 + signal.SIGKILL)


def limits_of(pid: int) -> list[tuple[int, int]]:
    """Soft and hard limits of a process, in the order of their numbers (getrlimit(2)); -1 is no limit.

    From /proc, which asks for no capability over the process as prlimit(2) does. KernelError when it is gone.
    """
    path = f"/proc/{pid}/limits"
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()[1:]
    except OSError as error:
        raise KernelError.from_os_error("read", path, error) from error
    return [(_limit(soft), _limit(hard)) for soft, hard in (line[_WIDTH_OF_NAME:].split()[:2] for line in lines)]


def _limit(value: str) -> int:
    return -1 if value == "unlimited" else int(value)


def set_name(name: str) -> None:
    """Call ourselves so in /proc/PID/comm, up to 15 bytes, until the next exec (PR_SET_NAME(2const))."""
    buffer = ctypes.create_string_buffer(name.encode())
    libc.call("prctl", "PR_SET_NAME", "prctl", _PR_SET_NAME, ctypes.c_ulong(ctypes.addressof(buffer)), 0, 0, 0)


def set_child_subreaper() -> None:
    """Become the parent of orphaned descendants instead of the host's init."""
    _prctl("PR_SET_CHILD_SUBREAPER", _PR_SET_CHILD_SUBREAPER, 1)


def set_no_new_privileges() -> None:
    """Make set-user-id bits and file capabilities powerless for us and all our descendants."""
    _prctl("PR_SET_NO_NEW_PRIVS", _PR_SET_NO_NEW_PRIVS, 1)


def join_new_keyring() -> None:
    """Leave the session keyring of whoever started us: keyrings(7) are not namespaced by mount or pid."""
    try:
        libc.syscall("keyctl", "join session keyring", libc.number("keyctl"), _KEYCTL_JOIN_SESSION_KEYRING, 0)
    except KernelError as error:
        if error.errno != 38:
            raise


def close_descriptors(keep: Collection[int]) -> None:
    """Close every descriptor from 3 on except ``keep`` (close_range(2), Linux 5.9)."""
    start = 3
    for fd in sorted(fd for fd in set(keep) if fd >= start):
        _close_range(start, fd - 1)
        start = fd + 1
    _close_range(start, _HIGHEST_DESCRIPTOR)


def _close_range(first: int, last: int) -> None:
    if first <= last:
        libc.syscall("close_range", f"{first}-{last}", libc.CLOSE_RANGE, first, last, 0)


def reset_signals() -> None:
    """Default dispositions and an empty mask: execve(2) keeps ignored signals ignored, and Python ignores SIGPIPE."""
    with open("/proc/self/status", encoding="utf-8") as file:
        masks = [int(line.split()[1], 16) for line in file if line.startswith(("SigIgn:", "SigCgt:"))]
    for number in range(1, signal.NSIG):
        if number not in _SIGNALS_OF_LIBC and any(mask >> (number - 1) & 1 for mask in masks):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def forbid_imports() -> None:
    """Let no import statement look at a file any more.

    A process that has entered a jail would find the jail's files under sys.path and run them as the engine. What is
    imported already stays importable.
    """
    sys.meta_path.clear()
    sys.path.clear()


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (field 22 of proc_pid_stat(5)); None when it is gone.

    A pid together with this number names one process for ever; a pid alone can be reused.
    """
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else None


def is_alive(pid: int, started: int) -> bool:
    """Whether the very process that started then still runs; a zombie does not."""
    fields = _stat_fields(pid)
    return bool(fields) and fields[0] not in ("Z", "X") and int(fields[19]) == started


def is_stopped(pid: int) -> bool:
    """Whether a signal has stopped a process, which waits for SIGCONT."""
    return _stat_fields(pid)[:1] == ["T"]


def _stat_fields(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on: the name before them may hold spaces and parentheses."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return file.read().rpartition(b")")[2].decode("ascii", "replace").split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def run_in_child(function: Callable[[], bytes]) -> bytes:
    """Run a function in a forked child and return its bytes: for work that changes what cannot be changed back.

    A KernelError of the child is raised here again; any other failure is a KernelError EIO with its text as target.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reader)
            answer = _answer_of(function)
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(answer)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return _result_of(answer)


def _answer_of(function: Callable[[], bytes]) -> bytes:
    try:
        return b"ok\0" + function()
    except KernelError as error:
        return f"failed\0{error.operation}\0{error.target}\0{error.errno}".encode()
    except Exception as error:
        return f"failed\0run in child\0{type(error).__name__}: {error}\0005".encode()


def _result_of(answer: bytes) -> bytes:
    kind, _unused, rest = answer.partition(b"\0")
    if kind == b"ok":
        return rest
    if kind == b"failed":
        operation, target, number = rest.decode().split("\0")
        raise KernelError(operation, target, int(number))
    raise KernelError("run in child", "the child died", 10)
