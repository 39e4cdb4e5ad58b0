# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Programs of ours on the hooks of a control group: looked at, attached, and replaced without a gap.

What is attached stays when whoever attached it ends, holds for every group below, and goes with the group. The name of
each program says what it was made for, by which it is known again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from . import bpf, files
from .address_program import ALLOW_LOW_PORT, SET_RETURN_VALUE
from .bpf_assembler import R0, R1, Assembler
from .errors import KernelError

_MARK = "jl_"
_ATTEMPTS = 5


class Hook(NamedTuple):
    """Type of the programs for a hook, and its number (enum bpf_attach_type)."""

    kind: int
    number: int


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
    os.close(bpf.load(hook.kind, code, f"{_MARK}probe", attach_type=hook.number))


def _is_taken(code: bytes) -> bool:
    try:
        _try(code)
    except KernelError:
        return False
    return True


def is_held(directory: str, identity: str) -> bool:
    """Whether just programs of that identity are on all hooks of a group; False too for a group that is not there."""
    try:
        group = _open(directory)
        with files.closing(group):
            return all(_are_in_place(_ours(group, hook), identity) for hook in HOOKS.values())
    except KernelError as error:
        if error.errno == errno.ENOENT:
            return False
        raise


def hold(directory: str, identity: str, programs: Callable[[], Mapping[str, bytes]]) -> bool:
    """Put programs on all hooks of a group, each in the place of ours that is there; whether anything changed.

    ``identity`` has up to 12 letters and digits: other programs have another one. KernelError EPERM: a group above has
    a program that allows no other below it.
    """
    if is_held(directory, identity):
        return False
    group, codes = _open(directory), programs()
    with files.closing(group):
        for name, hook in HOOKS.items():
            _replace(group, hook, codes[name], identity)
    return True


def _open(directory: str) -> int:
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelError.from_os_error("open", directory, error) from error


def _ours(group: int, hook: Hook) -> list[bpf.Program]:
    """Asked again when one of them goes while we look."""
    for attempt in range(_ATTEMPTS):
        try:
            return [program for program in bpf.attached(group, hook.number) if program.name.startswith(_MARK)]
        except KernelError as error:
            if error.errno != errno.ENOENT or attempt == _ATTEMPTS - 1:
                raise
    return []


def _are_in_place(present: list[bpf.Program], identity: str) -> bool:
    return [program.name for program in present] == [f"{_MARK}{identity}"]


def _replace(group: int, hook: Hook, code: bytes, identity: str) -> None:
    present = _ours(group, hook)
    if _are_in_place(present, identity):
        return
    fd = bpf.load(hook.kind, code, f"{_MARK}{identity}", attach_type=hook.number)
    with files.closing(fd):
        if not present:
            bpf.attach(group, fd, hook.number)
            return
        with files.closing(bpf.open_program(present[0].id)) as first:
            bpf.attach(group, fd, hook.number, replaced=first)
    for other in present[1:]:
        with files.closing(bpf.open_program(other.id)) as fd:
            bpf.detach(group, fd, hook.number)
