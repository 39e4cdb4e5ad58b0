# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root in a jail and device nodes, terminals among them (E20-E22, E52)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ansible_collections.hosting.jails.plugins.module_utils._engine import places

from .prisoners import Outside, Prisoner


def test_root_in_a_jail_cannot_read_the_hosts_disk_through_a_node_it_makes(any_jail: Prisoner) -> None:
    any_jail.refuses("make_the_disk")


def test_root_in_a_jail_cannot_make_device_nodes(any_jail: Prisoner) -> None:
    any_jail.refuses("make_any_device")


def test_root_in_a_jail_cannot_read_memory_through_a_node_it_makes(any_jail: Prisoner) -> None:
    any_jail.refuses("make_memory")


def test_root_in_a_jail_cannot_make_a_node_of_the_kernels_log(any_jail: Prisoner) -> None:
    any_jail.refuses("make_the_kernels_log")


def test_root_in_a_jail_cannot_make_a_tunnel_device(any_jail: Prisoner) -> None:
    any_jail.refuses("make_a_tunnel_device")


def test_a_jail_has_none_of_the_devices_that_lead_out(any_jail: Prisoner) -> None:
    any_jail.refuses("open_memory_of_the_machine")
    any_jail.refuses("open_disks")
    any_jail.refuses("open_devices_of_the_host")
    any_jail.refuses("read_the_log_device")


def test_a_jail_has_only_harmless_devices(any_jail: Prisoner) -> None:
    any_jail.refuses("find_devices")


def test_a_device_node_on_a_volume_does_not_open(any_jail: Prisoner) -> None:
    any_jail.refuses("open_planted_nodes")


def test_a_device_node_in_the_image_does_not_open(outside: Outside) -> None:
    """Whoever built the image may have left one; it belongs to the jail's root, and everybody may read it."""
    with outside.prisoner("nodes", state="present", ip={"mode": "none"}) as nodes:
        upper = Path(f"{places.STATE}/roots/{nodes.name}/upper")
        disk = os.stat("/").st_dev
        os.mknod(upper / "disk", stat.S_IFBLK, disk)
        os.mknod(upper / "zero", stat.S_IFCHR, os.makedev(1, 5))
        for name in ("disk", "zero"):
            os.chown(upper / name, upper.stat().st_uid, upper.stat().st_gid)
            os.chmod(upper / name, 0o666)
        nodes.converge(state="started")
        outcome = nodes.probe("open_planted_nodes", planted_nodes=["/disk", "/zero"])["open_planted_nodes"]
        assert outcome.allowed is False, outcome


def test_root_in_a_jail_cannot_change_the_hosts_null_device(any_jail: Prisoner) -> None:
    before = os.stat("/dev/null")
    any_jail.refuses("own_the_null_device")
    any_jail.run("chown", "1:1", "/dev/null")
    any_jail.run("chmod", "600", "/dev/null")
    after = os.stat("/dev/null")
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    any_jail.run("sh", "-c", "chown 0:0 /dev/null; chmod 666 /dev/null")


def test_root_in_a_jail_cannot_add_entropy(any_jail: Prisoner) -> None:
    any_jail.refuses("add_entropy")


def test_root_in_a_jail_cannot_push_input_into_a_terminal(filtered: Prisoner) -> None:
    filtered.refuses("type_into_a_terminal")


def test_root_in_a_jail_cannot_load_line_disciplines(filtered: Prisoner) -> None:
    filtered.refuses("load_line_disciplines")


def test_a_command_without_a_terminal_reaches_none(any_jail: Prisoner) -> None:
    any_jail.refuses("reach_a_terminal")
