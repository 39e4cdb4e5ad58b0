# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""/proc/sys of a host: what belongs to its namespaces is real, what belongs to the whole machine is a copy.

A host may raise its limits, read them back and find them raised after a task, and this machine keeps its own.
"""

from __future__ import annotations

import os
import uuid

from ansible_collections.hosting.jails.plugins.module_utils._kernel import mounts

BOOT_ID = "kernel/random/boot_id"
_REAL = ("net", "user")
_COPIED = ("fs", "vm", "kernel/keys", "kernel/pty", "kernel/pid_max", "kernel/printk")


def mount_below(root: str, scratch: str) -> None:
    """Make /proc/sys of a root with a fresh proc on it; ``scratch`` is an empty directory for the copies."""
    top = f"{root}/proc/sys"
    mounts.mount("tmpfs", scratch, "tmpfs", mounts.MS_NOSUID | mounts.MS_NODEV, "mode=755")
    for name in _COPIED:
        _copy(f"{top}/{name}", f"{scratch}/{name}")
    boot_id = f"{scratch}/boot_id"
    _write(boot_id, f"{uuid.uuid4()}\n".encode())
    mounts.mount(top, top, None, mounts.MS_BIND)
    mounts.mount(None, top, None, mounts.MS_BIND | mounts.MS_REMOUNT | mounts.MS_RDONLY)
    for name in _REAL:
        # From the proc below: the bind above is read-only by now.
        _bind_writable(f"{top}/{name}", f"{top}/{name}")
    for name in _COPIED:
        mounts.mount(f"{scratch}/{name}", f"{top}/{name}", None, mounts.MS_BIND)
    mounts.mount(boot_id, f"{top}/{BOOT_ID}", None, mounts.MS_BIND)
    mounts.unmount(scratch)


def _bind_writable(source: str, target: str) -> None:
    mounts.mount(source, target, None, mounts.MS_BIND)
    mounts.mount(None, target, None, mounts.MS_BIND | mounts.MS_REMOUNT)


def _copy(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.isdir(source):
        _write(target, _read(source))
        return
    os.mkdir(target)
    for name in os.listdir(source):
        _copy(f"{source}/{name}", f"{target}/{name}")


def _read(path: str) -> bytes:
    """Content of a parameter; some can only be written, and some only when a module is there."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
