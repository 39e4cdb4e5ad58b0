# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root in a jail and mounts: making them, changing them, and what is in them (E12-E18, E25)."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError

from .prisoners import Outside, Prisoner


@pytest.mark.parametrize(
    "attack",
    ["mount_memory", "mount_overlay", "bind_a_directory", "mount_fresh_proc", "mount_fresh_sysfs", "mount_a_disk"],
)
def test_root_in_an_app_jail_cannot_mount(app: Prisoner, attack: str) -> None:
    app.refuses(attack)


def test_root_in_an_app_jail_cannot_mount_by_the_new_calls(app: Prisoner) -> None:
    for attack in ("mount_by_the_new_calls", "copy_a_tree", "change_flags_of_own_mounts"):
        app.refuses(attack)


def test_root_in_a_jail_cannot_configure_the_file_system_of_its_root(any_jail: Prisoner) -> None:
    any_jail.refuses("reconfigure_the_root")
    any_jail.refuses("take_locks_off_the_root")


def test_root_in_an_app_jail_gets_no_fresh_proc_or_sysfs_even_with_the_capability_to_mount(weak: Prisoner) -> None:
    weak.allows("mount_memory")
    weak.refuses("mount_fresh_proc")
    weak.refuses("mount_fresh_sysfs")


def test_root_in_an_app_jail_cannot_uncover_masks_even_with_the_capability_to_mount(
    app: Prisoner, weak: Prisoner
) -> None:
    for jail in (app, weak):
        jail.refuses("uncover_masks")
        assert "/proc/kallsyms" in jail.verdict("uncover_masks").why


def test_root_in_an_app_jail_cannot_make_proc_and_sys_writable_even_with_the_capability_to_mount(
    app: Prisoner, weak: Prisoner
) -> None:
    for jail in (app, weak):
        jail.refuses("make_proc_writable")


def test_root_in_a_jail_cannot_mount_what_belongs_to_the_host(any_jail: Prisoner) -> None:
    any_jail.refuses("mount_what_belongs_to_the_host")


def test_root_in_a_jail_cannot_mount_a_disk(any_jail: Prisoner) -> None:
    any_jail.refuses("mount_a_disk")


def test_root_in_a_jail_cannot_make_a_hierarchy_with_a_release_agent(any_jail: Prisoner) -> None:
    any_jail.refuses("mount_control_groups")
    any_jail.refuses("make_a_named_hierarchy")


def test_root_in_a_jail_cannot_take_the_locks_off_its_volumes(any_jail: Prisoner) -> None:
    any_jail.refuses("take_locks_off_volumes")


def test_there_is_nothing_under_the_root_of_a_jail(any_jail: Prisoner) -> None:
    any_jail.refuses("look_under_the_root")


def test_root_in_a_jail_cannot_pivot_its_root_away(any_jail: Prisoner) -> None:
    any_jail.refuses("pivot_root")


def test_root_in_a_jail_cannot_write_the_core_pattern(any_jail: Prisoner) -> None:
    any_jail.refuses("write_the_core_pattern")
    any_jail.refuses("write_the_modprobe_path")
    any_jail.refuses("write_the_uevent_helper")


def test_root_in_a_jail_cannot_open_the_switches_of_the_machine(any_jail: Prisoner) -> None:
    any_jail.refuses("open_switches_of_the_machine")
    any_jail.refuses("pull_the_emergency_brake")
    any_jail.refuses("register_a_program_format_of_the_host")


def test_nothing_in_proc_and_sys_of_an_app_jail_is_writable(app: Prisoner) -> None:
    app.refuses("find_anything_writable")


def test_what_is_writable_in_proc_and_sys_of_a_system_jail_is_its_own(system: Prisoner) -> None:
    system.refuses("find_anything_writable")


def test_what_root_alone_reads_in_proc_and_sys_is_not_for_root_in_a_jail(any_jail: Prisoner) -> None:
    any_jail.refuses("read_what_is_roots_alone")


def test_root_in_a_jail_cannot_read_addresses_or_memory_of_the_kernel(any_jail: Prisoner) -> None:
    any_jail.refuses("read_addresses_of_the_kernel")
    any_jail.refuses("read_memory_of_the_kernel")
    any_jail.refuses("open_debugging_files")


def test_masks_of_an_app_jail_show_nothing(app: Prisoner) -> None:
    app.refuses("read_under_masks")


def test_what_a_system_jail_mounts_nobody_else_sees(system: Prisoner) -> None:
    system.allows("mount_memory")
    before = Path("/proc/self/mountinfo").read_text()
    system.script("mkdir -p /volume/mounted /srv/mounted; mount -t tmpfs esc-tmpfs /volume/mounted")
    system.script("mount --bind /etc /srv/mounted; mount --make-rshared / || true; touch /volume/mounted/inside")
    assert Path("/proc/self/mountinfo").read_text().count("esc-tmpfs") == 0 == before.count("esc-tmpfs")
    assert list((system.outside.volume / "mounted").iterdir()) == []
    system.script("umount /volume/mounted /srv/mounted")


def test_no_path_of_the_host_is_mounted_in_a_jail_but_its_volumes(any_jail: Prisoner) -> None:
    """A mount of the host's own root file system would show as one with its device number."""
    host = Path("/proc/self/mountinfo").read_text().splitlines()
    device = next(line.split()[2] for line in host if line.split()[4] == "/")
    lines = [line.split() for line in Path(f"/proc/{any_jail.pid}/mountinfo").read_text().splitlines()]
    assert {words[4] for words in lines if words[2] == device} <= {"/probe", "/plugins", "/volume", "/read-only"}


@pytest.mark.parametrize(
    "target",
    ["/", "/proc", "/proc/self", "/proc/sys/kernel", "//proc", "/./proc", "/sys", "/sys/fs/cgroup", "/dev", "/dev/pts"],
)
def test_a_volume_cannot_cover_proc_sys_or_dev(outside: Outside, target: str) -> None:
    """A false /proc would make the engine's own writes go astray (CVE-2023-28642, CVE-2025-52881)."""
    with pytest.raises(DocumentError, match=r"mounts\[4\]\.target"):
        _define(outside, target)


@pytest.mark.parametrize("target", ["/data/../proc", "relative", "/data\n/proc"])
def test_a_volume_needs_a_plain_absolute_target(outside: Outside, target: str) -> None:
    with pytest.raises(DocumentError, match=r"mounts\[4\]\.target"):
        _define(outside, target)


def _define(outside: Outside, target: str) -> None:
    with outside.prisoner("covers", state="present", mounts=[{"type": "tmpfs", "target": target}]):
        raise AssertionError(f"{target} was taken")


@pytest.mark.parametrize("link", ["proc", "sys", "dev"])
def test_an_image_whose_system_directories_are_links_gets_no_uncovered_proc(outside: Outside, link: str) -> None:
    """Whatever the links of an image make of it: a jail either does not start or has all its covers."""
    from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError

    with outside.prisoner("image", state="present", ip={"mode": "none"}) as image:
        upper = Path(f"/var/lib/jails/roots/{image.name}/upper")
        (upper / "elsewhere").mkdir()
        whiteout_by_link = upper / link
        whiteout_by_link.symlink_to("elsewhere")
        try:
            image.converge(state="started")
        except EngineError:
            return
        tried = image.probe(
            "read_addresses_of_the_kernel",
            "read_memory_of_the_kernel",
            "open_switches_of_the_machine",
            "find_the_host_in_proc",
        )
        assert [name for name, outcome in tried.items() if outcome.allowed is not False] == []
