# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroups import Cgroup, find_hierarchies
from ansible_collections.hosting.jails.plugins.module_utils._kernel.clone import fork_into
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError

_PARENT = "jails-test-groups"
_ROUNDS = 50
_AT_ONCE = 4


def test_the_first_groups_below_another_can_be_made_and_joined_at_once() -> None:
    """Whoever finds the parent made must not find its cpuset empty: no process could join below it (ENOSPC)."""
    hierarchies = find_hierarchies()
    for _unused in range(_ROUNDS):
        children = [_in_child(Cgroup(hierarchies, f"{_PARENT}/{number}")) for number in range(_AT_ONCE)]
        statuses = [os.waitpid(pid, 0)[1] for pid in children]
        Cgroup(hierarchies, _PARENT).remove()
        assert statuses == [0] * _AT_ONCE


def _in_child(group: Cgroup) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            group.create()
            group.join()
            status = 0
        finally:
            os._exit(status)
    return pid


@pytest.fixture
def group() -> Iterator[Cgroup]:
    made = Cgroup(find_hierarchies(), f"{_PARENT}/member")
    made.create()
    yield made
    made.remove()
    Cgroup(made.hierarchies, _PARENT).remove()


@pytest.mark.parametrize("below", [False, True], ids=["in", "below"])
def test_a_child_is_born_in_the_group_and_is_in_all_of_it_once_it_has_joined(group: Cgroup, below: bool) -> None:
    reader, writer = os.pipe()
    child = group.fork_member(below=below)
    if child == 0:
        born = Path("/proc/self/cgroup").read_text()
        group.join_version_1()
        os.write(writer, f"{born}\n{Path('/proc/self/cgroup').read_text()}".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        born, joined = (_groups(text) for text in pipe.read().split("\n\n"))
    assert os.waitpid(child, 0)[1] == 0
    own = f"/{group.name}/entered" if below else f"/{group.name}"
    assert born[""].endswith(own)
    controllers = set(group.hierarchies.controllers) & set(joined)
    assert {name for name in controllers if not joined[name].endswith(f"/{group.name}")} == set()


def _groups(text: str) -> dict[str, str]:
    """Groups by what they are for; a host without version 1 controllers has one, for nothing in particular."""
    rows = (line.split(":", 2) for line in text.splitlines())
    return {name: path for _unused, names, path in rows for name in names.split(",")}


def test_a_group_is_seen_through_and_removed_however_long_the_paths_below_it_are(group: Cgroup) -> None:
    name, fd = "d" * 250, os.open(group.unified, os.O_RDONLY)
    for _unused in range(20):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    with subprocess.Popen(["sleep", "600"]) as process:
        member = os.open("cgroup.procs", os.O_WRONLY, dir_fd=fd)
        os.write(member, str(process.pid).encode())
        os.close(member)
        os.close(fd)
        assert group.processes() == [process.pid]
        process.kill()
    group.remove()
    assert not group.exists()


def test_a_child_that_is_born_in_a_group_is_a_python_like_any_other(group: Cgroup) -> None:
    """It has the interpreter to itself: what runs after a fork has run, and it imports, forks and starts threads."""
    heard: list[str] = []
    os.register_at_fork(before=lambda: heard.append("before"), after_in_child=lambda: heard.append("child"))
    child = group.fork_member()
    if child == 0:
        status = 1
        try:
            import netrc  # noqa: F401  # nobody else has

            thread = threading.Thread(target=heard.append, args=("thread",))
            thread.start()
            thread.join()
            grandchild = group.fork_member()
            if grandchild == 0:
                os._exit(5)
            ended = os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1])
            status = 0 if heard == ["before", "child", "thread", "before"] and ended == 5 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert heard == ["before"]


def test_a_fork_into_a_group_that_is_not_there_fails_and_hurts_nobody() -> None:
    absent = Cgroup(find_hierarchies(), f"{_PARENT}-not-there")
    with pytest.raises(KernelError, match="ENOENT"):
        absent.fork_member()
    with pytest.raises(KernelError, match="fork into /tmp: EBADF"):
        fork_into("/tmp")
    child = os.fork()
    if child == 0:
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
