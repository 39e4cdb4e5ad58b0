# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine for the length of the tests: whatever they leave behind, it is gone with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.hosting.jails.plugins.module_utils._kernel import mounts, namespaces
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroups import Cgroup, find_hierarchies
from ansible_collections.hosting.jails.tests.faults import machine
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.engine import shared_host

# For the next run.
_TEMPLATES = "/var/lib/jails/templates"
# Databases want a real file system.
_ON_DISK = ("/var/lib/jails/roots", "/srv")
_DISK = jails.BUILD / "services"
LINK = shared_host.LINK


@contextlib.contextmanager
def own_machine() -> Iterator[int]:
    """Be on a machine of our own for the length of a block; a descriptor of the network that we came from."""
    engine = machine.installed_engine()
    scratch = tempfile.mkdtemp(prefix="services-")
    disk = _DISK / os.path.basename(scratch)
    group = Cgroup(find_hierarchies(), os.path.basename(scratch))
    group.create()
    try:
        with _coming_back() as network:
            machine.enter_state(engine, scratch, group)
            _show(_DISK / "templates", _TEMPLATES)
            for path in _ON_DISK:
                _show(disk / path.strip("/").replace("/", "-"), path)
            shared_host.enter()
            try:
                yield network
            finally:
                jails.dismiss_supervisor()
    finally:
        group.kill()
        group.wait_empty(5.0)
        group.remove()
        os.rmdir(scratch)
        shutil.rmtree(disk)
        machine.discard_engine()


def _show(directory: Path, path: str) -> None:
    """Have a path be a directory on the disk."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    os.makedirs(path, exist_ok=True)
    mounts.mount(str(directory), path, None, mounts.MS_BIND)


@contextlib.contextmanager
def _coming_back() -> Iterator[int]:
    """Return to the present directory, namespaces and control groups at the end of a block."""
    here, groups = os.getcwd(), list(_own_groups())
    kinds = (("mnt", namespaces.NEWNS), ("net", namespaces.NEWNET), ("cgroup", namespaces.NEWCGROUP))
    homes = [(os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC), flag) for kind, flag in kinds]
    try:
        yield homes[1][0]
    finally:
        for fd, flag in homes:
            namespaces.setns(fd, flag)
            os.close(fd)
        os.chdir(here)
        for group in groups:
            Path(group, "cgroup.procs").write_text("0")


def _own_groups() -> Iterator[str]:
    """Directories of the control groups that we are in, one a hierarchy (cgroups(7), /proc/PID/cgroup)."""
    rows = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    paths = {controllers.removeprefix("name="): path for _number, controllers, path in rows}
    hierarchies = find_hierarchies()
    for root in hierarchies.roots:
        yield root + paths["" if root == hierarchies.unified else os.path.basename(root)]
