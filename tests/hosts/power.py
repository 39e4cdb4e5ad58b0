# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The power supply of a host: a process that boots it, waits for its end, and boots it again when that was a reboot."""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from typing import NoReturn

from ansible_collections.hosting.jails.plugins.module_utils._kernel import files, mounts, namespaces, processes
from ansible_collections.hosting.jails.tests.hosts import archives, control_groups, kernel_parameters, places, segment
from ansible_collections.hosting.jails.tests.hosts.host import PROGRAMS, Host

_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_ENVIRONMENT = {"container": "test-host", "PATH": PROGRAMS}
_DEVICE_ATTRIBUTES = mounts.MS_NOSUID
_TEMPORARY_ATTRIBUTES = mounts.MS_NOSUID | mounts.MS_NODEV
_PROC_ATTRIBUTES = mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC


def switch_on(host: Host) -> None:
    """Boot a host that is off; return at once."""
    with host.supply as lock:
        pid = os.fork()
        if pid == 0:
            _daemonize(host, lock.fd)
        os.waitpid(pid, 0)


def _daemonize(host: Host, lock: int) -> NoReturn:
    try:
        os.setsid()
        if os.fork() == 0:
            _detach(host, lock)
            _keep(host)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _detach(host: Host, lock: int) -> None:
    """Hold nothing of whoever has switched the host on but the lock, and die with the set."""
    keepers = control_groups.group(f"{places.control_group(host.prefix)}/keepers")
    keepers.create()
    keepers.join()
    os.chdir("/")
    console = os.open(host.console, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open("/dev/null", os.O_RDONLY)
    for fd, target in ((null, 0), (console, 1), (console, 2)):
        os.dup2(fd, target)
    processes.close_descriptors((lock,))
    # Whoever has switched it on may have had others: pytest has.
    sys.stdout = sys.stderr = os.fdopen(1, "w", encoding="utf-8", buffering=1, closefd=False)
    processes.reset_signals()


def _keep(host: Host) -> None:
    while _boot(host) == signal.SIGHUP:
        print(f"{host.name}: rebooting")


def _boot(host: Host) -> int:
    """Run a host until its end; what reboot(2) has left as the signal that ended its init, 0 if it just exited."""
    group = host.group
    group.create()
    network = namespaces.new_network_namespace()
    segment.attach(host.prefix, name=host.name, number=host.number, namespace=network)
    with namespaces.new_pid_namespace_for_children():
        pid = os.fork()
        if pid == 0:
            _become_init(host, network)
    os.close(network)
    record = {"pid": pid, "started": processes.start_time(pid)}
    files.write_json(str(host.directory / "init.json"), record, sync=False)
    _unused, status = os.waitpid(pid, 0)
    group.kill()
    group.wait_empty(10)
    group.remove()
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _become_init(host: Host, network: int) -> NoReturn:
    try:
        layout = control_groups.hierarchies()
        host.group.join()
        namespaces.setns(network, namespaces.NEWNET)
        namespaces.unshare(namespaces.NEWNS | namespaces.NEWUTS | namespaces.NEWIPC | namespaces.NEWCGROUP)
        mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        root = _mount_root(host)
        _mount_devices(f"{root}/dev")
        _mount_kernel_file_systems(root, str(host.directory / "scratch"))
        control_groups.mount_below(root, layout)
        os.chdir(root)
        mounts.pivot_root_here()
        socket.sethostname(host.name)
        processes.close_descriptors(())
        os.execve("/sbin/init", ["/sbin/init", "--log-target=journal"], _ENVIRONMENT)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _mount_root(host: Host) -> str:
    """The image under the host's own layer.

    What a host must find after a power cut, the records of the jails, is what the engine has synced: so none of
    overlayfs's options that skip that.
    """
    directory = host.directory
    root = str(directory / "root")
    options = f"lowerdir={places.IMAGE},upperdir={directory}/upper,workdir={directory}/work"
    mounts.mount(host.name, root, "overlay", 0, options)
    mounts.mount(str(directory / "jails"), f"{root}/var/lib/jails", None, mounts.MS_BIND)
    handed_over = f"{root}{archives.SHOWN}"
    mounts.mount(str(places.ARCHIVES), handed_over, None, mounts.MS_BIND)
    mounts.mount(None, handed_over, None, mounts.MS_BIND | mounts.MS_REMOUNT | mounts.MS_RDONLY)
    return root


def _mount_kernel_file_systems(root: str, scratch: str) -> None:
    mounts.mount("proc", f"{root}/proc", "proc", _PROC_ATTRIBUTES)
    kernel_parameters.mount_below(root, scratch)
    if os.path.exists(f"{root}/proc/sysrq-trigger"):
        mounts.mount(f"{root}/dev/null", f"{root}/proc/sysrq-trigger", None, mounts.MS_BIND)
    # Read-only: systemd takes that for a container, whose devices are none of its business.
    mounts.mount("sysfs", f"{root}/sys", "sysfs", _PROC_ATTRIBUTES | mounts.MS_RDONLY)
    mounts.mount("run", f"{root}/run", "tmpfs", _TEMPORARY_ATTRIBUTES, "mode=755")
    mounts.mount("tmp", f"{root}/tmp", "tmpfs", _TEMPORARY_ATTRIBUTES, "mode=1777")


def _mount_devices(dev: str) -> None:
    """Nodes of its own: the owners and modes that a host gives them are not the machine's."""
    mounts.mount("dev", dev, "tmpfs", _DEVICE_ATTRIBUTES, "mode=755")
    os.umask(0)
    for name, (major, minor) in _DEVICES.items():
        os.mknod(f"{dev}/{name}", 0o20666, os.makedev(major, minor))
    # A console that swallows everything: what the host has to say is in its journal.
    os.mknod(f"{dev}/console", 0o20600, os.makedev(*_DEVICES["null"]))
    os.umask(0o022)
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{dev}/{name}", 0o755)
    mounts.mount(
        "devpts",
        f"{dev}/pts",
        "devpts",
        mounts.MS_NOSUID | mounts.MS_NOEXEC,
        "newinstance,ptmxmode=0666,mode=620,gid=5",
    )
    mounts.mount("shm", f"{dev}/shm", "tmpfs", _TEMPORARY_ATTRIBUTES, "mode=1777")
    mounts.mount("mqueue", f"{dev}/mqueue", "mqueue", _PROC_ATTRIBUTES)
    os.symlink("pts/ptmx", f"{dev}/ptmx")
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"{dev}/{name}")
