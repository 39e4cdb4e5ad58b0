# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Templates from the host's own package sources. The first test installs a real system and takes about a minute."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import packages, templates, updates

pytestmark = [
    pytest.mark.usefixtures("private_state"),
    pytest.mark.skipif(not shutil.which("mmdebstrap"), reason="mmdebstrap is not installed"),
    pytest.mark.skipif(not os.path.isdir("/etc/apt"), reason="this host has no package sources of apt"),
]

SOURCE: dict[str, Any] = {"packages": {"include": ["nginx-light"]}}
ONE_BUILD_SECONDS = 120


def commands_in(namespaces: set[str]) -> list[str]:
    """What runs in some pid namespaces."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/ns/pid") in namespaces:
                found.append(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace"))
    return found


def descendants(pid: int) -> list[int]:
    """A process's children, and theirs."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    return [found for child in map(int, children) for found in (child, *descendants(child))]


def namespaces_of(pids: list[int]) -> set[str]:
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/{pid}/ns/pid"))
    return found - {os.readlink("/proc/self/ns/pid")}


def mount_points() -> set[str]:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return {line.split()[4] for line in lines}


def wait_for(condition: Any, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_build_that_was_killed_is_gone_and_the_next_one_ends_in_a_system_that_is_nobody_in_particular() -> None:
    mounts = mount_points()
    pid = os.fork()
    if pid == 0:
        templates.ensure("debian", SOURCE)
        os._exit(0)
    wait_for(lambda: "apt-get" in "".join(commands_in(namespaces_of(descendants(pid)))), seconds=60)
    time.sleep(3)
    namespaces = namespaces_of(descendants(pid))
    assert len(namespaces) == 1
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    wait_for(lambda: not commands_in(namespaces), seconds=60)

    began = time.monotonic()
    manifest = templates.ensure("debian", SOURCE)
    assert time.monotonic() - began < ONE_BUILD_SECONDS
    assert mount_points() <= mounts
    assert sorted(os.listdir("/var/lib/jails/templates/debian")) == sorted(["current", manifest.generation])

    root = Path(templates.rootfs(manifest))
    assert (root / "usr/sbin/nginx").exists()
    assert manifest.facts["packages"]["nginx-light"]
    assert (root / "etc/machine-id").read_bytes() == b""
    for gone in ("etc/resolv.conf", "etc/hostname", "usr/sbin/policy-rc.d", "etc/apt/apt.conf.d/99mmdebstrap"):
        assert not os.path.lexists(root / gone)
    for empty in ("run", "tmp", "var/lib/apt/lists", "var/cache/apt", "var/log"):
        assert [str(path) for path in (root / empty).rglob("*") if path.is_file() and path.stat().st_size] == []
    assert "deb" in "".join(path.read_text() for path in (root / "etc/apt/sources.list.d").iterdir())

    assert updates.outdated(manifest, SOURCE) == []
    status = root / "var/lib/dpkg/status"
    version = manifest.facts["packages"]["mawk"]
    old = re.sub(r"(Package: mawk\n(?:.+\n)*?Version: ).*", r"\g<1>1.0", status.read_text(encoding="utf-8"))
    status.write_text(old, encoding="utf-8")
    assert updates.outdated(manifest, SOURCE) == [f"mawk 1.0 -> {version}"]


def refusal(**options: Any) -> EngineError:
    with pytest.raises(EngineError) as caught:
        templates.ensure("debian", {"packages": options})
    assert os.listdir("/var/lib/jails/templates") == []
    assert str(caught.value).startswith("source.packages")
    assert caught.value.remedy
    return caught.value


def test_a_package_that_there_is_not_is_named() -> None:
    error = refusal(include=["nginx-lite"])
    assert error.path == "source.packages.include"
    assert "is called nginx-lite" in error.message
    assert "the last lines of mmdebstrap" in error.message


def test_a_mirror_that_drops_every_connection_is_named_and_nothing_is_kept() -> None:
    server = socket.create_server(("127.0.0.1", 0))

    def drop() -> None:
        while True:
            server.accept()[0].close()

    threading.Thread(target=drop, daemon=True).start()
    error = refusal(mirror=f"http://127.0.0.1:{server.getsockname()[1]}/debian", suite="bookworm")
    assert error.path == "source.packages.mirror"
    assert "127.0.0.1" in error.message


def test_a_release_that_the_host_has_no_source_of_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages.apt_sources, "host_stanzas", list)
    error = refusal(suite="sarge")
    assert error.path == "source.packages.suite"
    assert "sarge" in error.message


def test_a_keyring_that_is_not_there_is_named() -> None:
    assert refusal(keyring="/nowhere/keys.gpg").path == "source.packages.keyring"


def test_no_tool_to_build_with_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.shutil, "which", lambda name: None)
    assert "apt-get install mmdebstrap" in refusal().remedy


def test_a_full_disk_is_named_and_nothing_is_kept() -> None:
    os.makedirs("/var/lib/jails", exist_ok=True)
    assert os.system("mount -t tmpfs -o size=30m tmpfs /var/lib/jails") == 0
    with pytest.raises(EngineError, match="the file system on /var/lib/jails is full"):
        templates.ensure("debian", SOURCE)
    assert os.listdir("/var/lib/jails/templates") == []
