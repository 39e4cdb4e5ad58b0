# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Mapping
from typing import NamedTuple

from . import capabilities
from .capabilities import CapabilitySets
from .errors import KernelError

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
# SECCOMP_MODE_* of linux/seccomp.h.
SECCOMP_MODES = ("disabled", "strict", "filter")

_NS_GET_USERNS, _NS_GET_PARENT = 0xB701, 0xB702
# User namespaces cannot be nested deeper (user_namespaces(7)).
_DEEPEST = 32


class Standing(NamedTuple):
    """What a process may do, as far as the kernel tells it of others.

    ``seccomp`` is one of SECCOMP_MODES. ``namespaces`` are the identities of its namespaces by their names in
    /proc/PID/ns, without those that the kernel does not have.
    """

    sets: CapabilitySets
    no_new_privileges: bool
    seccomp: str
    namespaces: Mapping[str, int]


def read_standing(pid: int) -> Standing | None:
    """The standing of a process, None when it is gone, or dead and not buried."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            fields = dict(line.split(":\t", 1) for line in file if ":\t" in line)
    except OSError:
        return None
    namespaces = _read_namespaces(pid)
    if not namespaces:
        return None
    return Standing(
        sets=capabilities.sets_in(fields),
        no_new_privileges=fields.get("NoNewPrivs", "0").strip() == "1",
        seccomp=SECCOMP_MODES[int(fields.get("Seccomp", "0"))],
        namespaces=namespaces,
    )


def _read_namespaces(pid: int) -> dict[str, int]:
    found = {}
    for kind in NAMESPACES:
        with contextlib.suppress(OSError):
            found[kind] = os.stat(f"/proc/{pid}/ns/{kind}").st_ino
    return found


def belongs_to(pid: int, kind: str, user_namespace: int) -> bool:
    """Whether a namespace of a process is that user namespace or one below it, or belongs to one of these.

    False for one that is gone, and where a user namespace lies above ours.
    """
    try:
        fd = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return _leads_to(fd if kind == "user" else _ask(fd, _NS_GET_USERNS), user_namespace)
    except KernelError:
        return False
    finally:
        os.close(fd)


def _leads_to(fd: int, user_namespace: int) -> bool:
    """Climb from a user namespace to those above it."""
    with contextlib.ExitStack() as stack:
        for _unused in range(_DEEPEST + 1):
            if os.fstat(fd).st_ino == user_namespace:
                return True
            fd = _ask(fd, _NS_GET_PARENT)
            stack.callback(os.close, fd)
    return False


def _ask(fd: int, request: int) -> int:
    """Descriptor of a namespace that stands in a relation to another one (ioctl_nsfs(2))."""
    try:
        return fcntl.ioctl(fd, request)
    except OSError as error:
        raise KernelError.from_os_error("ask about", "namespace", error) from error
