# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths that a jail is not to see or not to change (caps.masked_paths, caps.read_only_paths)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.integration.jails import Jail, jail

pytestmark = pytest.mark.usefixtures("template", "nothing_left")


def covered(profile: str, volume: Path, **caps: Any) -> Any:
    mounts = [{"source": str(volume), "target": "/srv"}]
    return jail("eng-covered", caps={"profile": profile, **caps}, mounts=mounts)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    tmp_path.chmod(0o777)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "open").write_text("open")
    return tmp_path


def undoes(it: Jail, path: str) -> bool:
    """Whether the jail's root can take away what covers a path."""
    return it.run("sh", "-c", f"umount {path} || umount -l {path}").returncode == 0


@pytest.mark.parametrize("profile", ["service", "vps"])
def test_what_is_masked_is_empty_for_everybody_in_the_jail(profile: str, volume: Path) -> None:
    with covered(profile, volume, masked_paths=["/etc/passwd", "/srv/secret", "/opt", "/no/such/path"]) as it:
        assert it.script("cat /srv/secret /etc/passwd; ls -A /opt; cat /srv/open") == "open"
        assert it.run("sh", "-c", "touch /opt/x").returncode != 0
        assert not any(undoes(it, path) for path in ("/etc/passwd", "/srv/secret", "/opt"))
        assert it.script("cat /srv/secret /etc/passwd") == ""
    assert (volume / "secret").read_text() == "secret"


@pytest.mark.parametrize("profile", ["service", "vps"])
def test_what_is_read_only_is_changed_by_nobody_in_the_jail(profile: str, volume: Path) -> None:
    with covered(profile, volume, read_only_paths=["/usr", "/srv", "/etc/profile"]) as it:
        for path in ("/usr/bin/x", "/srv/x", "/srv/open", "/etc/profile"):
            assert "Read-only file system" in it.run("sh", "-c", f"echo x > {path}").stderr
        assert it.script("/usr/bin/env true; cat /srv/open") == "open"
        for path in ("/usr", "/srv", "/etc/profile"):
            assert not undoes(it, path)
            assert it.run("mount", "-o", "remount,bind,rw", path).returncode != 0
        it.script("touch /etc/x /var/x")
    assert sorted(path.name for path in volume.iterdir()) == ["open", "secret"]


def test_files_of_the_kernel_can_be_masked_besides_those_that_always_are(volume: Path) -> None:
    with covered("service", volume, masked_paths=["/proc/cpuinfo", "/sys/class"], read_only_paths=["/dev/shm"]) as it:
        assert it.script("cat /proc/cpuinfo; ls -A /sys/class; cat /proc/keys") == ""
        assert it.run("touch", "/dev/shm/x").returncode != 0
