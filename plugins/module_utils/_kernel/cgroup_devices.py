# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Which devices the processes of a control group may open: a program on the group, or the version 1 controller.

The program is replaced in one step and knows what it was made for by its name. The controller is there for kernels
without programs on control groups (CONFIG_CGROUP_BPF); its list is changed entry by entry.
"""

from __future__ import annotations

import contextlib
import errno
import os
from functools import lru_cache
from typing import NamedTuple

from . import bpf
from .cgroup_hooks import MARK, Hook, hold, is_held
from .cgroups import Cgroup, read, write
from .errors import KernelError

# linux/device_cgroup.h
MAKE, READ, WRITE = 1, 2, 4
ALL_ACCESS = MAKE | READ | WRITE
_LETTERS = ((READ, "r"), (WRITE, "w"), (MAKE, "m"))
_HOOKS = {"device": Hook(bpf.CGROUP_DEVICE, 6)}
_EVERYTHING = "a *:* rwm"
_ROUNDS = 5


class Rule(NamedTuple):
    """A device (or with no ``minor`` all of a driver's) and the bits of ``access`` that are given to it."""

    block: bool
    major: int
    minor: int | None
    access: int

    def line(self) -> str:
        """As in devices.list."""
        letters = "".join(letter for bit, letter in _LETTERS if self.access & bit)
        return f"{'b' if self.block else 'c'} {self.major}:{'*' if self.minor is None else self.minor} {letters}"


@lru_cache(maxsize=1)
def takes_programs() -> bool:
    """Whether the kernel takes programs that decide on devices; asked once a process."""
    from .device_program import program

    hook = _HOOKS["device"]
    try:
        os.close(bpf.load(hook.kind, program(()), f"{MARK}probe", attach_type=hook.number))
    except KernelError:
        return False
    return True


def hold_group(group: Cgroup, rules: tuple[Rule, ...], identity: str) -> bool:
    """Allow the processes of a group these devices and no others; whether anything changed.

    ``identity`` has up to 12 letters and digits and stands for the rules. Does nothing on a host that can do neither;
    KernelError EPERM: a group above has a program that allows no other below it.
    """
    if takes_programs():
        from .device_program import program

        return hold(group.unified, identity, _HOOKS, lambda: {"device": program(rules)})
    return bool(group.hierarchies.devices) and _hold_by_controller(group, {rule.line() for rule in rules})


def is_held_group(group: Cgroup, rules: tuple[Rule, ...], identity: str) -> bool | None:
    """Whether the processes of a group are held to just that; None on a host that can do neither."""
    if _has_program(group, identity):
        return True
    if group.is_held_by_controller():
        return _listed(group.devices) == {rule.line() for rule in rules}
    return False if takes_programs() or group.hierarchies.devices else None


def _has_program(group: Cgroup, identity: str) -> bool:
    """Asked for before whether there are any at all, which takes longer."""
    try:
        return is_held(group.unified, identity, _HOOKS)
    except KernelError as error:
        if error.errno == errno.EINVAL:  # no such hook
            return False
        raise


def _hold_by_controller(group: Cgroup, wanted: set[str]) -> bool:
    """What is new is allowed before what is old is denied: no moment allows less than both lists."""
    made = _make(group)
    listed = _listed(group.devices)
    if _EVERYTHING in listed:
        write(f"{group.devices}/devices.deny", "a")
        listed = set()
    for line in sorted(wanted - listed):
        write(f"{group.devices}/devices.allow", line)
    for line in sorted(listed - wanted):
        write(f"{group.devices}/devices.deny", line)
    # The kernel joins entries of one device; denying a part of one may have taken more than was meant.
    for line in sorted(wanted - _listed(group.devices)):
        write(f"{group.devices}/devices.allow", line)
    if made:
        _move(group)
    return made or listed != wanted


def _make(group: Cgroup) -> bool:
    path, made = group.hierarchies.devices, False
    for part in group.name.split("/"):
        path = f"{path}/{part}"
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o755)
            made = True
    return made


def _move(group: Cgroup) -> None:
    """Processes that are in the group already, with those that they start meanwhile."""
    for _unused in range(_ROUNDS):
        there = set(read(f"{group.devices}/cgroup.procs").split())
        missing = [pid for pid in group.processes() if str(pid) not in there]
        for pid in missing:
            with contextlib.suppress(KernelError):  # it has ended
                write(f"{group.devices}/cgroup.procs", str(pid))
        if not missing:
            return


def _listed(directory: str) -> set[str]:
    return set(read(f"{directory}/devices.list").splitlines())
