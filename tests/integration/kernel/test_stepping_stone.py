# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel import stepping_stone
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError


def run(path: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit status and output of a program that a child of ours becomes by way of the stone."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(writer, 1)
            os.dup2(writer, 2)
            stepping_stone.execute(path, arguments, environment)
        finally:
            os._exit(70)
    os.close(writer)
    with os.fdopen(reader) as output:
        said = output.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said


def test_the_program_is_as_if_executed_at_once(tmp_path: Path) -> None:
    said = run("/bin/sh", "mine", "-c", 'echo "$0 $1 $A"; exit 3', "me", "two words", A="b c")
    assert said == (3, "me two words b c\n")
    assert run("/usr/bin/env", "env") == (0, "")
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho $0 $1\n")
    script.chmod(0o755)
    assert run(str(script), "script", "x") == (0, f"{script} x\n")
    assert "memfd" not in run("/bin/ls", "ls", "-l", "/proc/self/fd")[1]


def test_what_leads_to_the_program_of_whoever_executes_it_leads_to_the_stone(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.symlink_to("/proc/self/exe")
    said = (127, "it cannot be executed in this jail: its format, its interpreter or its file capabilities\n")
    assert run(str(trap), "trap", "-c", "print(1)") == said
    trap.unlink()
    trap.write_text("#!/proc/self/exe -c\n")
    trap.chmod(0o755)
    assert run(str(trap), "trap") == said


def test_nobody_changes_it() -> None:
    fd = stepping_stone._lay(os.uname().machine)
    try:
        with pytest.raises(PermissionError):
            os.pwrite(fd, b"x", 0)
        for size in (0, 1 << 16):
            with pytest.raises(PermissionError):
                os.ftruncate(fd, size)
    finally:
        os.close(fd)


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 62), ("aarch64", 183)])
def test_it_is_whole_for_each_processor(machine: str, number: int) -> None:
    program = stepping_stone.program(machine)
    assert struct.unpack_from("<HH", program, 16) == (2, number)
    (entry,), (base,), size = struct.unpack_from("<Q", program, 24), struct.unpack_from("<Q", program, 80), len(program)
    assert struct.unpack_from("<QQ", program, 64 + 32) == (size, size)
    assert base < entry < base + size
    assert program.endswith(b"\n")


def test_a_processor_that_it_is_not_written_for_executes_nothing() -> None:
    with pytest.raises(KernelError, match="ENOSYS"):
        stepping_stone.program("riscv64")
