# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Device nodes to be mounted where none can be made: mknod(2) is refused inside a user namespace."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from ..._kernel import mounts
from ..._model.devices import PROFILES, Device
from ..errors import EngineError
from .tree import make_node

_USUAL = frozenset(PROFILES["minimal"])
_ROOM = (("size", "64k"), ("nr_inodes", "1k"), ("mode", "700"))


def clone_nodes(devices: Iterable[Device], *, stage: str, owner: int) -> dict[str, int]:
    """Detached mounts of device nodes, by their path in the jail, made in a mount namespace that only we are in.

    The usual ones are the host's own, which the jail's root cannot change. All others belong to him (``owner``, as the
    host calls him): they are made in a file system of their own, mounted on ``stage``, so that what he does to their
    mode touches nobody else.
    """
    devices = list(devices)
    nodes = {device.path: _clone_host_node(device) for device in devices if device in _USUAL}
    others = [device for device in devices if device not in _USUAL]
    return {**nodes, **_make_nodes(others, stage=stage, owner=owner)} if others else nodes


def _clone_host_node(device: Device) -> int:
    """What is not the very device is refused (CVE-2025-31133)."""
    status = os.stat(device.path)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(device.major, device.minor):
        raise EngineError("", f"the host's {device.path} is not character device {device.major}:{device.minor}")
    return mounts.clone_tree(mounts.AT_FDCWD, device.path)


def _make_nodes(devices: list[Device], *, stage: str, owner: int) -> dict[str, int]:
    os.makedirs(stage, mode=0o700, exist_ok=True)
    room = mounts.new_filesystem("tmpfs", _ROOM, attributes=mounts.ATTR_NOSUID | mounts.ATTR_NOEXEC)
    try:
        # Before Linux 6.15 a mount can be cloned only once it is attached.
        mounts.attach_at(room, stage)
        nodes = {}
        for number, device in enumerate(devices):
            make_node(room, str(number), device, owner=owner)
            nodes[device.path] = mounts.clone_tree(room, str(number))
        return nodes
    finally:
        os.close(room)
