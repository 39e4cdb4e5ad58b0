# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a claim where a jail's code runs: in a child, as the root of a user namespace of its own."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Callable
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._kernel import libc, processes, user_namespaces
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.plugins.module_utils._kernel.syscall_numbers import numbers

# A range of ids that neither distributions nor the engine give to anybody.
ID_BASE = 0x6F000000
ID_COUNT = 65536

NUMBERS = numbers(os.uname().machine)


def in_child(function: Callable[[], Any]) -> Any:
    """What the function returns, as JSON brings it back; a KernelError of the child is raised here."""
    return json.loads(processes.run_in_child(lambda: json.dumps(function()).encode()))


def in_user_namespace(function: Callable[[], Any]) -> Any:
    """The same as root of a new user namespace, with every capability in it."""
    fd = user_namespaces.create(base=ID_BASE, size=ID_COUNT)
    try:
        return in_child(lambda: _as_root_of(fd, function))
    finally:
        os.close(fd)


def _as_root_of(fd: int, function: Callable[[], Any]) -> Any:
    user_namespaces.become_root_of(fd)
    return function()


def attempt(name: str, *arguments: object) -> int:
    """Make a system call by name: 0, or the errno that it failed with."""
    try:
        libc.syscall("attempt", name, NUMBERS[name], *arguments)
    except KernelError as error:
        return error.errno
    return 0


def status(pid: int | str = "self") -> dict[str, str]:
    """/proc/PID/status by field name."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return {name: value.strip() for name, value in (line.split(":", 1) for line in file)}


def status_after_exec(*prepare: Callable[[], object]) -> dict[str, str]:
    """What a program finds in its own /proc/self/status when it is executed after some preparations."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            for step in prepare:
                step()
            os.dup2(writer, 1)
            os.execv("/bin/cat", ["cat", "/proc/self/status"])
        finally:
            os._exit(127)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return {name: value.strip() for name, value in (line.split(":", 1) for line in text.splitlines())}


def prctl(option: int, value: int = 0) -> int:
    zero = ctypes.c_ulong(0)
    return libc.call("prctl", str(option), "prctl", option, ctypes.c_ulong(value), zero, zero, zero)
