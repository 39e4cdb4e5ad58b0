# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import errno
import gc
import os
import resource
import signal
import socket
import time

from ..._kernel import loopback, mounts, namespaces, processes, user_namespaces
from ..._kernel.cgroups import Cgroup
from ..._kernel.errors import KernelError
from .. import places, status
from ..errors import EngineError, blaming
from ..limits import set_limits
from . import init
from .nodes import clone_nodes
from .recipe import Recipe
from .root import attach_mounts, attach_root, cover_paths
from .start import Start
from .tree import Tree

_OWN_NAMESPACES = namespaces.NEWUTS | namespaces.NEWIPC | namespaces.NEWCGROUP
_FAILED = 70
_DESCRIPTORS = 1024


def run(start: Start) -> None:
    """What a forked child of the launcher does; it never returns.

    It was born in the jail's control group, and makes its namespaces. In the app order it is the jail's pid 1 already,
    and goes on with ``init.run``; in the system order its child is. Where the order matters the reason stands with the
    step; ENTER and LEAVE are those of namespaces(7), user_namespaces(7) and mount_namespaces(7).
    """
    try:
        _leave_launcher(start)
        _prepare(start)
    except Exception as error:
        start.child.fail(error)
    finally:
        os._exit(_FAILED)


def _leave_launcher(start: Start) -> None:
    processes.set_parent_death_signal(signal.SIGKILL)
    processes.set_undumpable()
    processes.set_name(places.ENTERING)
    # A collection would write to all the memory that we still share with the launcher.
    gc.disable()
    os.setsid()
    os.umask(0o022)
    processes.reset_signals()
    processes.forbid_imports()
    processes.close_descriptors(start.descriptors)
    os.environ.clear()


def _prepare(start: Start) -> None:
    recipe = start.recipe
    _join_version_1(recipe)
    _set_rlimits(start)
    _join_network(recipe)
    _start_clocks()
    namespaces.unshare(namespaces.NEWNS)
    mounts.mount(None, "/", None, mounts.MS_SLAVE | mounts.MS_REC)
    root = attach_root(recipe, start.user_namespace)
    nodes = _clone_nodes(recipe) if recipe.system else {}
    if recipe.system:
        _attach_locked(root, recipe)
        os.fchdir(root)
        user_namespaces.become_root_of(start.user_namespace)
        processes.set_parent_death_signal(signal.SIGKILL)
        namespaces.unshare(_OWN_NAMESPACES | namespaces.NEWNS | namespaces.NEWPID)
    else:
        namespaces.unshare(_OWN_NAMESPACES)
    with blaming("hostname"):
        socket.sethostname(recipe.hostname)
    _set_sysctls(start)
    if recipe.system:
        _fork_init(start, root, nodes)
    init.run(start, root, nodes)


def _attach_locked(root: int, recipe: Recipe) -> None:
    """What the host's root mounts for a jail that mounts the rest itself: its root cannot change or remove these."""
    tree = Tree(root, id_base=recipe.id_base)
    if not recipe.network:
        # The jail's root, who has no power over the host's network, could not.
        tree.sys()
    tree.run_directory()
    if recipe.syslog:
        tree.syslog(recipe.syslog)
    attach_mounts(tree, recipe)
    null = os.open("/dev/null", os.O_PATH | os.O_CLOEXEC)
    cover_paths(tree, recipe, null)
    os.close(null)


def _join_version_1(recipe: Recipe) -> None:
    """Join what is left of the group: some may have gone since it was made (Cgroup.is_whole), with its limits."""
    group = Cgroup(status.hierarchies(), recipe.cgroup)
    if recipe.held_by_controller and not group.is_held_by_controller():
        raise KernelError("join", group.devices, errno.ENOENT)
    if group.join_version_1():
        set_limits(group, recipe.limits, jail=recipe.name, fresh=True)


def _set_rlimits(start: Start) -> None:
    # The supervisor has raised its own limit; programs that use select(2) cannot do with more (getrlimit(2)).
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_DESCRIPTORS, hard), hard))
    for name, limits in start.recipe.rlimits.items():
        try:
            resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), limits)
        except (OSError, ValueError) as error:
            raise EngineError(
                "",
                f"{limits[0]}:{limits[1]} was refused: {error}",
                path=f"rlimits.{name}",
                remedy="ask for less: raising a hard limit takes CAP_SYS_RESOURCE, which this host's engine may lack",
            ) from error


def _join_network(recipe: Recipe) -> None:
    """As the host's root, who has power over the owner of the jail's network namespace, whoever that is."""
    if recipe.standby:
        namespaces.unshare(namespaces.NEWNET)
        loopback.bring_up()
        return
    if not recipe.network:
        return
    with blaming("ip"):
        fd = namespaces.open_pin(recipe.network)
        namespaces.setns(fd, namespaces.NEWNET)
        os.close(fd)


def _start_clocks() -> None:
    """Let the jail's uptime begin now (time_namespaces(7)); a kernel without time namespaces shows the host's.

    Before the user namespace is entered: an undumpable process's /proc files belong to the host's root.
    """
    try:
        namespaces.unshare(namespaces.NEWTIME)
    except KernelError:
        return
    clocks = {"monotonic": time.CLOCK_MONOTONIC, "boottime": time.CLOCK_BOOTTIME}
    with open("/proc/self/timens_offsets", "w", encoding="utf-8") as file:
        file.write("".join(f"{name} -{int(time.clock_gettime(clock))} 0\n" for name, clock in clocks.items()))
    namespaces.enter_time_namespace_for_children()


def _clone_nodes(recipe: Recipe) -> dict[str, int]:
    with blaming("caps.devices"):
        return clone_nodes(recipe.devices, stage=places.device_stage(recipe.name), owner=recipe.id_base)


def _set_sysctls(start: Start) -> None:
    """Through the host's /proc, which no image can have tampered with (CVE-2025-52881): the kernel looks up net.*
    and the System V limits in the namespaces of the writer."""
    for name, value in start.recipe.sysctls.items():
        with blaming(f"sysctls.{name}"), open("/proc/sys/" + name.replace(".", "/"), "w", encoding="utf-8") as file:
            file.write(value)


def _fork_init(start: Start, root: int, nodes: dict[str, int]) -> None:
    """Fork the jail's pid 1, and stay until it no longer depends on us: from then on it is the launcher's child."""
    waiting, released = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(waiting)
        init.run(start, root, nodes, released=released)
    os.close(released)
    start.child.say(pid=pid)
    os.read(waiting, 1)
    os._exit(0)
