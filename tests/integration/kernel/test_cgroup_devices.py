# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control groups that are held to devices, by a program and by the version 1 controller."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel import bpf, cgroup_devices, processes
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroup_devices import (
    MAKE,
    READ,
    WRITE,
    Rule,
    hold_group,
    is_held_group,
)
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroups import Cgroup, Hierarchies, find_hierarchies
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError

NULL = Rule(block=False, major=1, minor=3, access=READ | WRITE)
ZERO = Rule(block=False, major=1, minor=5, access=READ)
MEMORY = Rule(block=False, major=1, minor=None, access=READ | MAKE)
FIRST, SECOND = (NULL, ZERO), (NULL, MEMORY)
REFUSED = b"EPERM"


@pytest.fixture(params=["program", "controller"])
def group(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cgroup]:
    found = find_hierarchies()
    if request.param == "controller":
        if not found.devices or not os.access(f"{found.devices}/devices.deny", os.W_OK):
            pytest.skip("no version 1 controller of devices that we may use")
        monkeypatch.setattr(cgroup_devices, "takes_programs", lambda: False)
    made = Cgroup(Hierarchies(found.unified, devices=found.devices), f"devices-{os.getpid()}-{request.param}")
    made.create()
    try:
        yield made
    finally:
        made.remove()


def inside(group: Cgroup, function: Callable[[], object]) -> bytes:
    """What becomes of a function in a process of the group."""

    def run() -> bytes:
        group.join()
        try:
            function()
        except PermissionError:
            return REFUSED
        return b""

    return processes.run_in_child(run)


def opening(path: str, flags: int) -> Callable[[], object]:
    return lambda: os.close(os.open(path, flags))


def test_a_group_opens_what_is_listed_and_nothing_else(group: Cgroup) -> None:
    assert hold_group(group, FIRST, "first")
    assert inside(group, opening("/dev/null", os.O_RDWR)) == b""
    assert inside(group, opening("/dev/zero", os.O_RDONLY)) == b""
    assert inside(group, opening("/dev/zero", os.O_RDWR)) == REFUSED
    assert inside(group, opening("/dev/full", os.O_RDONLY)) == REFUSED
    assert inside(group, opening("/dev/tty", os.O_RDWR)) == REFUSED


def test_a_node_is_made_only_where_that_is_listed(group: Cgroup, tmp_path: Path) -> None:
    hold_group(group, SECOND, "second")
    assert inside(group, lambda: os.mknod(tmp_path / "null", stat.S_IFCHR, os.makedev(1, 3))) == b""
    assert inside(group, lambda: os.mknod(tmp_path / "tty", stat.S_IFCHR, os.makedev(5, 0))) == REFUSED
    assert inside(group, lambda: os.mknod(tmp_path / "block", stat.S_IFBLK, os.makedev(1, 3))) == REFUSED


def test_a_list_is_replaced_by_another(group: Cgroup) -> None:
    hold_group(group, FIRST, "first")
    assert not hold_group(group, FIRST, "first")
    assert is_held_group(group, FIRST, "first")
    assert not is_held_group(group, SECOND, "second")
    assert hold_group(group, SECOND, "second")
    assert is_held_group(group, SECOND, "second")
    assert inside(group, opening("/dev/full", os.O_RDONLY)) == b""
    assert inside(group, opening("/dev/full", os.O_WRONLY)) == REFUSED
    assert inside(group, opening("/dev/null", os.O_RDWR)) == b""


def test_who_is_in_the_group_already_is_held_too(group: Cgroup) -> None:
    def run() -> bytes:
        group.join()
        opening("/dev/full", os.O_RDONLY)()
        os.kill(os.getpid(), 19)
        try:
            opening("/dev/full", os.O_RDONLY)()
        except PermissionError:
            return REFUSED
        return b""

    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, run())
        os._exit(0)
    os.waitpid(pid, os.WUNTRACED)
    hold_group(group, FIRST, "first")
    os.kill(pid, 18)
    os.waitpid(pid, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == REFUSED


def test_groups_below_are_held_as_well(group: Cgroup) -> None:
    hold_group(group, FIRST, "first")
    below = f"{group.unified}/below"
    os.mkdir(below)

    def run() -> object:
        Path(below, "cgroup.procs").write_text("0")
        return opening("/dev/full", os.O_RDONLY)()

    assert inside(group, run) == REFUSED


def test_a_host_that_can_do_neither_says_so(group: Cgroup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup_devices, "takes_programs", lambda: False)
    alone = Cgroup(Hierarchies(group.hierarchies.unified), group.name)
    assert not hold_group(alone, FIRST, "first")
    assert is_held_group(alone, FIRST, "first") is None


def test_a_kernel_that_refuses_programs_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> int:
        raise KernelError("load", f"bpf program {arguments} {options}", 22)

    cgroup_devices.takes_programs.cache_clear()
    try:
        monkeypatch.setattr(bpf, "load", refuse)
        assert not cgroup_devices.takes_programs()
    finally:
        cgroup_devices.takes_programs.cache_clear()
