# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces that are kept by their files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel import mounts, namespaces

pytestmark = pytest.mark.usefixtures("private_state")


def test_a_namespace_is_told_from_a_file_of_an_overlay_of_several_file_systems(tmp_path: Path) -> None:
    """Such a file is on another device than its directory, as a namespace's is."""
    top, bottom, path = tmp_path / "top", tmp_path / "bottom", tmp_path / "overlay" / "net"
    for directory in (top, bottom, path.parent):
        directory.mkdir()
    mounts.mount("tmpfs", str(top), "tmpfs", 0, "mode=0700")
    for name in ("upper", "work"):
        (top / name).mkdir()
    layers = f"lowerdir={bottom},upperdir={top}/upper,workdir={top}/work"
    mounts.mount("overlay", str(path.parent), "overlay", 0, layers)
    path.touch()
    assert not namespaces.is_pinned(str(path))
    assert namespaces.find_pin(str(path)) is None
    fd = namespaces.new_network_namespace()
    namespaces.pin(fd, str(path))
    os.close(fd)
    assert namespaces.is_pinned(str(path))
    namespaces.unpin(str(path))
    assert not path.exists()
