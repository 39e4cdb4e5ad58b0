# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os

from . import group_trees
from .cgroups import Cgroup
from .files import closing


def lift(group: Cgroup) -> None:
    """Take the limits of processor time off a group and all below it; what goes meanwhile, or has none, is no error."""
    root = group.hierarchies.controllers.get("cpu")
    if root is None:
        return
    name, unlimited = ("cpu.max", b"max") if group.hierarchies.is_unified("cpu") else ("cpu.cfs_quota_us", b"-1")
    for directory in group_trees.walk(f"{root}/{group.name}"):
        with contextlib.suppress(OSError), closing(os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=directory)) as fd:
            os.write(fd, unlimited)
