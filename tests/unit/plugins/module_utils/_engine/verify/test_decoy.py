# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that is nothing but a target."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify import decoy
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.attack import Missing


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_it_is_an_elf_program_that_is_loaded_as_a_whole(machine):
    program = decoy.executable(machine)
    entry, segments = struct.unpack_from("<QQ", program, 24)
    offset, address, _unused, size, loaded = struct.unpack_from("<5Q", program, segments + 8)
    assert program[:5] == b"\x7fELF\2"
    assert (offset, size, loaded) == (0, len(program), len(program))
    assert address < entry < address + size


def test_a_machine_without_such_a_program_says_so():
    with pytest.raises(KeyError):
        decoy.executable("vax")


def test_it_waits_under_its_name_until_the_block_ends():
    with decoy.waiting("the-marker") as pid:
        assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"the-marker\0"
        assert Path(f"/proc/{pid}/environ").read_bytes() == b""
        assert len(Path(f"/proc/{pid}/maps").read_text().splitlines()) < 10
    assert not Path(f"/proc/{pid}").exists()


def test_what_goes_wrong_before_it_waits_is_said():
    def fail():
        raise OSError(1, "no")

    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Missing, match="no process to attack: PermissionError"), decoy.waiting("marker", before=fail):
        raise AssertionError("it runs")
    assert len(os.listdir("/proc/self/fd")) == descriptors
