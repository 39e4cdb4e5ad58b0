# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root in a jail and the host's files (E01, E02, E19, E23, E29, E56, E63)."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import places
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import templates

from . import prisoners
from .prisoners import Outside, Prisoner


def test_root_in_a_jail_cannot_climb_out_of_its_root(any_jail: Prisoner) -> None:
    any_jail.refuses("climb_up")


def test_a_jail_finds_nothing_of_the_engine_nor_of_its_own_layers(any_jail: Prisoner) -> None:
    any_jail.refuses("find_the_engine")
    any_jail.refuses("open_layers_of_the_root")


def test_chroot_leads_root_in_a_jail_nowhere_else(any_jail: Prisoner) -> None:
    any_jail.refuses("chroot_and_climb_up")


def test_a_jail_has_its_own_tmp_run_and_shm(any_jail: Prisoner) -> None:
    any_jail.refuses("read_files_of_others")


def test_root_in_a_jail_cannot_open_files_by_handle(any_jail: Prisoner) -> None:
    any_jail.refuses("open_by_handle")


def test_root_in_a_jail_cannot_change_the_init_that_the_host_lends_it(app: Prisoner, weak: Prisoner) -> None:
    for jail in (app, weak):
        jail.refuses("change_programs_of_the_host")
        assert "EACCES" in jail.verdict("change_programs_of_the_host").why


def test_root_in_a_jail_cannot_redirect_its_overlay(any_jail: Prisoner) -> None:
    any_jail.refuses("redirect_the_overlay")


def test_root_in_a_jail_cannot_make_files_that_the_host_cannot_remove(any_jail: Prisoner) -> None:
    any_jail.refuses("make_files_immutable")


def test_root_in_a_jail_cannot_take_files_out_of_what_their_size_is_counted_for(any_jail: Prisoner) -> None:
    any_jail.refuses("change_the_project_of_files")


def test_a_read_only_volume_is_read_only_for_root_in_a_jail(any_jail: Prisoner) -> None:
    any_jail.refuses("write_to_what_is_read_only")


def test_what_a_jail_changes_reaches_neither_its_template_nor_its_neighbour(app: Prisoner, neighbour: Prisoner) -> None:
    program = "/usr/bin/env"
    manifest = templates.current(prisoners.TEMPLATE)
    assert manifest is not None
    original = Path(f"{templates.rootfs(manifest)}{program}")
    before = hashlib.sha256(original.read_bytes()).hexdigest()
    app.script(f"echo '#!/bin/sh' > {program}; chmod 4777 {program}; echo planted > /etc/planted")
    assert hashlib.sha256(original.read_bytes()).hexdigest() == before
    assert neighbour.output("sha256sum", program).split()[0] == before
    assert neighbour.run("test", "-e", "/etc/planted").returncode == 1
    assert not (original.parents[2] / "etc/planted").exists()


def test_a_setuid_file_that_a_jail_leaves_on_a_volume_is_not_of_the_hosts_root(app: Prisoner, outside: Outside) -> None:
    app.script("cp /bin/true /volume/setuid; chown 0:0 /volume/setuid; chmod 6755 /volume/setuid")
    status = (outside.volume / "setuid").stat()
    assert status.st_mode & stat.S_ISUID
    assert status.st_uid == status.st_gid == prisoners.base_of(app.name)


def test_file_capabilities_that_a_jail_gives_count_in_the_jail_only(app: Prisoner, outside: Outside) -> None:
    """The kernel ties them to the jail's root (version 3 of vfs_cap_data, capabilities(7))."""
    value = "struct.pack('<5I', 0x2000001, 32, 0, 0, 0)"
    grant = f"import os, struct; os.setxattr('/volume/capable', 'security.capability', {value})"
    app.script(f'cp /bin/true /volume/capable; python3 -c "{grant}"')
    # Read in the host's user namespace, where the root that they count for is not the host's.
    value = os.getxattr(outside.volume / "capable", "security.capability")
    version, root = struct.unpack("<I", value[:4])[0] >> 24, struct.unpack("<I", value[-4:])[0]
    assert (version, len(value), root) == (3, 24, prisoners.base_of(app.name))


def test_set_user_id_bits_on_a_volume_are_powerless_in_a_jail(system: Prisoner) -> None:
    """In a jail where they work elsewhere: no_new_privs is not what stops them."""
    here, there = "/usr/local/bin/setuid-id", "/volume/setuid-id"
    system.script(f"for path in {here} {there}; do cp /usr/bin/id $path; chmod 4755 $path; done")
    as_nobody = ("--user", "nobody")
    assert system.output(here, "-u", options=as_nobody).strip() == "0"
    assert system.output(there, "-u", options=as_nobody).strip() == "65534"


@pytest.mark.parametrize("path", ["/etc/resolv.conf", "/etc/hosts", "/etc/hostname"])
def test_a_link_in_the_image_does_not_lead_the_engines_own_files_out(outside: Outside, path: str) -> None:
    """The engine writes these at each start. As long as the link is there, so is a file that it could reach."""
    target = outside.directory / "of-the-host"
    target.write_text("untouched\n")
    target.chmod(0o666)
    with outside.prisoner("links", ip={"mode": "none", "dns": {"servers": ["192.0.2.1"]}}) as links:
        links.script(f"mkdir -p {target.parent}; echo inside > {target}; ln -sf ../../../../../..{target} {path}")
        links.converge(state="restarted")
        assert target.read_text() == "untouched\n"
        assert links.output("cat", str(target)) == "inside\n"
        assert links.run("test", "-L", path).returncode == 1


def test_a_linked_etc_does_not_lead_the_engines_own_files_out(outside: Outside) -> None:
    with outside.prisoner("etc", ip={"mode": "none"}) as linked:
        linked.script("mv /etc /real; ln -s ../../../../../../proc/1/root/../../real /etc")
        before = {name: (Path("/etc") / name).read_bytes() for name in ("hosts", "hostname")}
        linked.converge(state="restarted")
        assert {name: (Path("/etc") / name).read_bytes() for name in before} == before
        assert linked.output("cat", "/real/hostname") == f"{linked.name}\n"


def test_a_link_in_the_image_does_not_lead_a_mount_out(outside: Outside) -> None:
    target = outside.directory / "directory-of-the-host"
    target.mkdir()
    with outside.prisoner("targets", mounts=[{"type": "tmpfs", "target": "/data"}]) as links:
        links.script(f"mkdir -p {target}")
        links.converge(state="stopped")
        upper = Path(f"{places.STATE}/roots/{links.name}/upper")
        (upper / "data").rmdir()
        (upper / "data").symlink_to(f"../../../../../..{target}")
        links.converge(state="started")
        links.script("touch /data/inside")
        assert list(target.iterdir()) == []
        assert links.output("cat", "/proc/self/mounts").count(f"{target} tmpfs") == 1
    target.rmdir()
