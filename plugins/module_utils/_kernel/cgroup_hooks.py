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
from typing import NamedTuple

from . import bpf, files
from .errors import KernelError

MARK = "jl_"
_ATTEMPTS = 5


class Hook(NamedTuple):
    """Type of the programs for a hook, and its number (enum bpf_attach_type)."""

    kind: int
    number: int


def is_held(directory: str, identity: str, hooks: Mapping[str, Hook]) -> bool:
    """Whether just programs of that identity are on some hooks of a group; False too for a group that is not there."""
    try:
        group = _open(directory)
        with files.closing(group):
            return all(_are_in_place(_ours(group, hook), identity) for hook in hooks.values())
    except KernelError as error:
        if error.errno == errno.ENOENT:
            return False
        raise


def hold(directory: str, identity: str, hooks: Mapping[str, Hook], programs: Callable[[], Mapping[str, bytes]]) -> bool:
    """Put programs on hooks of a group, each in the place of ours that is there; whether anything changed.

    ``identity`` has up to 12 letters and digits: other programs have another one. KernelError EPERM: a group above has
    a program that allows no other below it.
    """
    if is_held(directory, identity, hooks):
        return False
    group, codes = _open(directory), programs()
    with files.closing(group):
        for name, hook in hooks.items():
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
            return [program for program in bpf.attached(group, hook.number) if program.name.startswith(MARK)]
        except KernelError as error:
            if error.errno != errno.ENOENT or attempt == _ATTEMPTS - 1:
                raise
    return []


def _are_in_place(present: list[bpf.Program], identity: str) -> bool:
    return [program.name for program in present] == [f"{MARK}{identity}"]


def _replace(group: int, hook: Hook, code: bytes, identity: str) -> None:
    present = _ours(group, hook)
    if _are_in_place(present, identity):
        return
    fd = bpf.load(hook.kind, code, f"{MARK}{identity}", attach_type=hook.number)
    with files.closing(fd):
        if not present:
            bpf.attach(group, fd, hook.number)
            return
        with files.closing(bpf.open_program(present[0].id)) as first:
            bpf.attach(group, fd, hook.number, replaced=first)
    for other in present[1:]:
        with files.closing(bpf.open_program(other.id)) as fd:
            bpf.detach(group, fd, hook.number)
