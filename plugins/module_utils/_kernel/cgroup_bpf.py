# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The hooks of a control group that hold sockets to addresses, and what this kernel's can do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from . import bpf, cgroup_hooks, files
from .address_program import ALLOW_LOW_PORT, SET_RETURN_VALUE
from .bpf_assembler import R0, R1, Assembler
from .cgroup_hooks import MARK, Hook
from .errors import KernelError

HOOKS = {
    "ingress": Hook(bpf.CGROUP_SKB, 0),
    "egress": Hook(bpf.CGROUP_SKB, 1),
    "sock_create": Hook(bpf.CGROUP_SOCK, 2),
    "bind4": Hook(bpf.CGROUP_SOCK_ADDR, 8),
    "bind6": Hook(bpf.CGROUP_SOCK_ADDR, 9),
    "connect4": Hook(bpf.CGROUP_SOCK_ADDR, 10),
    "connect6": Hook(bpf.CGROUP_SOCK_ADDR, 11),
    "post_bind4": Hook(bpf.CGROUP_SOCK, 12),
    "post_bind6": Hook(bpf.CGROUP_SOCK, 13),
    "sendmsg4": Hook(bpf.CGROUP_SOCK_ADDR, 14),
    "sendmsg6": Hook(bpf.CGROUP_SOCK_ADDR, 15),
    "getsockname4": Hook(bpf.CGROUP_SOCK_ADDR, 31),
    "getsockname6": Hook(bpf.CGROUP_SOCK_ADDR, 32),
}


class Abilities(NamedTuple):
    """What this kernel's hooks can do: choose the errno of a refusal (5.18), lift the rule of low ports (5.12)."""

    names_errors: bool
    low_ports: bool


@lru_cache(maxsize=1)
def abilities() -> Abilities:
    """Ask the kernel's verifier, once a process. KernelError: it takes no such programs at all."""
    _try(_probe(names_errors=False, verdict=1))
    return Abilities(
        names_errors=_is_taken(_probe(names_errors=True, verdict=1)),
        low_ports=_is_taken(_probe(names_errors=False, verdict=ALLOW_LOW_PORT)),
    )


def has_competing_hierarchies(mounts: str = "/proc/self/mounts") -> bool:
    """Whether version 1 controllers are mounted that mark sockets too (net_cls and net_prio)."""
    lines = [line.split() for line in (files.read_text(mounts) or "").splitlines()]
    controllers = {name for line in lines if line[2] == "cgroup" for name in line[3].split(",")}
    return bool(controllers & {"net_cls", "net_prio"})


def _probe(*, names_errors: bool, verdict: int) -> bytes:
    program = Assembler()
    if names_errors:
        program.move_signed(R1, -errno.EADDRNOTAVAIL)
        program.call(SET_RETURN_VALUE)
    program.move(R0, verdict)
    program.exit()
    return program.code()


def _try(code: bytes) -> None:
    hook = HOOKS["bind4"]
    os.close(bpf.load(hook.kind, code, f"{MARK}probe", attach_type=hook.number))


def _is_taken(code: bytes) -> bool:
    try:
        _try(code)
    except KernelError:
        return False
    return True


def is_held(directory: str, identity: str) -> bool:
    """Whether just programs of that identity are on all hooks of a group; False too for a group that is not there."""
    return cgroup_hooks.is_held(directory, identity, HOOKS)


def hold(directory: str, identity: str, programs: Callable[[], Mapping[str, bytes]]) -> bool:
    """Put programs on all hooks of a group, each in the place of ours that is there; whether anything changed.

    See ``cgroup_hooks.hold``.
    """
    return cgroup_hooks.hold(directory, identity, HOOKS, programs)
