# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import signal

from ..._kernel import mounts, namespaces, paths, processes, user_namespaces
from ..ceiling import impose, step_down
from ..errors import blaming
from . import accounts, distribution, programs, reaper
from .programs import PATH
from .recipe import Recipe
from .root import attach_mounts, cover_paths
from .start import Start
from .tree import MASKED_ON_HOST, SYS_ON_HOST, Tree

_FAILED = 70


def run(start: Start, root: int, nodes: dict[str, int], *, released: int = -1) -> None:
    """What the jail's pid 1 does until its program runs; it never returns.

    ``root`` is the descriptor of the jail's root mount, ``nodes`` are clones of the host's device nodes in the
    system order; there, closing ``released`` lets our parent go.
    """
    try:
        processes.set_parent_death_signal(signal.SIGKILL)
        reaper_fd = _open_reaper(start.recipe)
        _leave_host(start, root, nodes)
        processes.join_new_keyring()
        _write_files(start.recipe)
        account = accounts.look_up(start.recipe.user)
        command = _command(start.recipe)
        _take_stdio(start.output, account.uid)
        processes.close_descriptors({start.child.fd, reaper_fd, released})
        accounts.enter_directory(start.recipe.workdir or account.home, required=bool(start.recipe.workdir))
        processes.set_parent_death_signal(0)
        if released >= 0:
            os.close(released)
        start.child.say(ready=True)
        if start.child.wait_for_go():
            impose(start.recipe.ceiling, uid=account.uid, gid=account.gid, groups=account.groups)
            if start.recipe.standby:
                processes.set_parent_death_signal(signal.SIGKILL)
                start.child.leave_if_alone()
            _execute(start, reaper_fd, command, _environment(start.recipe, account))
    except Exception as error:
        start.child.fail(error)
    finally:
        os._exit(_FAILED)


def _open_reaper(recipe: Recipe) -> int:
    """Read-only for a jail whose root owns the file: /proc/1/exe leads to it (CVE-2019-5736)."""
    if not recipe.init.startswith("/"):
        return -1
    if recipe.user_namespace:
        return os.open(recipe.init, os.O_PATH | os.O_CLOEXEC)
    clone = mounts.clone_tree(mounts.AT_FDCWD, recipe.init)
    mounts.set_attributes(clone, mounts.ATTR_RDONLY | mounts.ATTR_NOSUID | mounts.ATTR_NODEV)
    return clone


def _leave_host(start: Start, root: int, nodes: dict[str, int]) -> None:
    """Build the mount tree and leave the host's root directory behind.

    In the app order all mounts are made by the host's root, and become locked when the jail's user namespace gets a
    mount namespace of its own; in the system order we are in that user namespace already. Where there is none, it is
    for the want of CAP_SYS_ADMIN that nobody in the jail undoes them.
    """
    if start.recipe.system:
        _build_system_tree(nodes, owns_network=bool(start.recipe.network), logs=bool(start.recipe.syslog))
        mounts.pivot_root_here()
        return
    _build_app_tree(root, start.recipe)
    os.fchdir(root)
    mounts.pivot_root_here()
    if start.recipe.ceiling.on_host:
        step_down(start.recipe.ceiling)
        return
    user_namespaces.become_root_of(start.user_namespace)
    processes.set_parent_death_signal(signal.SIGKILL)
    # The host name with them: whoever is allowed to change it needs the owner of its namespace.
    namespaces.unshare(namespaces.NEWNS | namespaces.NEWUTS)


def _build_app_tree(root: int, recipe: Recipe) -> None:
    tree = Tree(root, id_base=recipe.id_base)
    on_host = recipe.ceiling.on_host
    # Its files believe the host's root, whatever capabilities he has not.
    tree.proc(read_only=on_host)
    if on_host:
        tree.parts_of_sys(SYS_ON_HOST)
    else:
        tree.sys()
    tree.control_groups(read_only=True)
    tree.device_directory(logs=bool(recipe.syslog))
    tree.make_devices(recipe.devices)
    tree.run_directory()
    if recipe.syslog:
        tree.syslog(recipe.syslog)
    tree.shared_memory()
    tree.message_queues()
    null = paths.open_beneath(root, "dev/null", os.O_PATH)
    tree.hide_kernel(null)
    if on_host:
        tree.mask(MASKED_ON_HOST, null)
    attach_mounts(tree, recipe)
    cover_paths(tree, recipe, null)
    os.close(null)


def _build_system_tree(nodes: dict[str, int], *, owns_network: bool, logs: bool) -> None:
    """The current directory is the jail's root, as a mount that is locked; pivot_root(2) refuses such a one.

    A clone of it is not, while the document's mounts below stay locked. New instances of proc and sysfs need the
    host's in sight (mount_too_revealing in fs/namespace.c), so they are mounted before the pivot.
    """
    root = mounts.clone_tree(mounts.AT_FDCWD, ".", recursive=True)
    here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mounts.attach(root, here)
    os.close(here)
    tree = Tree(root, id_base=0)
    tree.proc()
    if owns_network:
        tree.sys()
    tree.control_groups(read_only=False)
    tree.device_directory(logs=logs)
    tree.attach_devices(nodes)
    tree.shared_memory()
    tree.message_queues()
    os.fchdir(root)


def _write_files(recipe: Recipe) -> None:
    """As the jail's root in the jail's root directory: a link of the image leads nowhere else."""
    for path, text in recipe.files.items():
        with blaming("ip.dns"):
            _replace(path, text)
    if recipe.init == "system":
        distribution.prepare()


def _replace(path: str, text: str) -> None:
    """Write a file anew, whatever was there: O_EXCL and rename(2) follow no link in the last component."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.jail"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(temporary, path)


def _command(recipe: Recipe) -> list[str]:
    command = list(recipe.command)
    if recipe.init == "system":
        command = command or ["/sbin/init"]
    if command:
        programs.find(command[0], recipe.environment.get("PATH", PATH))
    return command


def _take_stdio(output: int, uid: int) -> None:
    """Nothing of the caller's: the jail's own null device and the log's FIFO, which its user may open again."""
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.fchown(output, uid, -1)


def _environment(recipe: Recipe, account: accounts.Account) -> dict[str, str]:
    """CONTAINER_INTERFACE of systemd asks for ``container``; the rest is what login(1) would set."""
    base = {"PATH": PATH, "HOME": account.home, "USER": account.name, "container": "jail"}
    return {**base, **recipe.environment}


def _execute(start: Start, reaper_fd: int, command: list[str], environment: dict[str, str]) -> None:
    """The control socket closes on exec: that is how the launcher learns of success."""
    if reaper_fd >= 0:
        os.execve(reaper_fd, reaper.arguments(start.recipe.init, command), environment)
    if start.recipe.init == "builtin":
        os.close(start.child.fd)
        reaper.run_builtin(command, environment, on_host=start.recipe.ceiling.on_host)
    with blaming("command[0]"):
        programs.execute(command, environment, on_host=start.recipe.ceiling.on_host)
