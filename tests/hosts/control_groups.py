# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control groups of a host: a subtree in every hierarchy of this machine, which the host sees as the whole.

On a hybrid machine the controllers are in version 1 hierarchies (cgroups(7)); a host on it is a hybrid one as well, so
that the limits of its jails hold.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from ansible_collections.hosting.jails.plugins.module_utils._kernel import mounts
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroups import Cgroup, Hierarchies

ROOT = "/sys/fs/cgroup"
_ATTRIBUTES = mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC
_GENERIC_OPTIONS = frozenset("rw ro relatime nosuid nodev noexec xattr".split())


class Hierarchy(NamedTuple):
    """A mounted hierarchy; ``options`` are those that name it to mount(2)."""

    path: str
    fstype: str
    options: str


def hierarchies() -> list[Hierarchy]:
    """All of this machine, also those that jails have no use for: a host must not be left in the root of any.

    On a machine of its own (tests/own-machine) one is mounted over another: the last is the one that is seen.
    """
    found = {}
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _unused, path, fstype, options = line.split()[:4]
        if path.startswith(ROOT) and fstype in ("cgroup", "cgroup2"):
            chosen = [option for option in options.split(",") if option not in _GENERIC_OPTIONS]
            found[path] = Hierarchy(path, fstype, ",".join(chosen) if fstype == "cgroup" else "")
    return list(found.values())


def group(name: str) -> Cgroup:
    """A group by the same name in all of them."""
    unified = [item.path for item in hierarchies() if item.fstype == "cgroup2"]
    others = {item.options: item.path for item in hierarchies() if item.fstype == "cgroup"}
    return Cgroup(Hierarchies(unified[0], others), name)


def mount_below(root: str, layout: list[Hierarchy]) -> None:
    """Mount the machine's hierarchies for a host, whose group is their root: its cgroup namespace makes it so."""
    if all(item.path != ROOT for item in layout):
        mounts.mount("tmpfs", f"{root}{ROOT}", "tmpfs", _ATTRIBUTES, "mode=755")
    for item in layout:
        os.makedirs(f"{root}{item.path}", exist_ok=True)
        if item.fstype == "cgroup2":
            mounts.mount("cgroup2", f"{root}{item.path}", "cgroup2", _ATTRIBUTES)
        else:
            named = f"none,{item.options}" if item.options.startswith("name=") else item.options
            mounts.mount("cgroup", f"{root}{item.path}", "cgroup", _ATTRIBUTES, named)
