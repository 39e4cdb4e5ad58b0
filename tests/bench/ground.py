# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ground of its own for a measurement: a process whose mount namespace has empty directories of the engine's.

Neither the host's jails nor its supervisor take part, and nothing is left: mounts go with the process, files with the
scratch directory. The engine's files lie on the host's disk as always, and not in memory, for the numbers to be true.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.hosting.jails.plugins.module_utils._engine import places, status, traces
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import protocol
from ansible_collections.hosting.jails.plugins.module_utils._kernel import mounts, namespaces

PREFIX = "bench-"
# The last two are where the engine installs itself.
_OWN = ("/etc/jails", "/run/jails", "/var/lib/jails", "/var/log/jails", "/usr/local/lib", "/usr/local/sbin")


def on_own_ground(measure: Callable[[str], None]) -> int:
    """Run a measurement in a child; its exit status. ``measure`` gets the path of the scratch directory."""
    scratch = tempfile.mkdtemp(prefix=PREFIX, dir="/var/tmp")
    # runc looks for a container's root with the ids of the container.
    os.chmod(scratch, 0o711)
    was_unused = not traces.plan()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _settle(scratch)
            with _leaving_nothing():
                measure(scratch)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if was_unused:
            _clear()


def _clear() -> None:
    """Leave a host that had no jails without what comes with the first of them."""
    for step in traces.plan():
        step.carry_out()
    # crun and runc have made it in hierarchies that the engine leaves alone.
    for directory in glob.glob("/sys/fs/cgroup/*/jails"):
        os.rmdir(directory)


def _settle(scratch: str) -> None:
    namespaces.unshare(namespaces.NEWNS)
    mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
    for directory in _OWN:
        own = f"{scratch}{directory}"
        os.makedirs(own, mode=0o700)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        mounts.mount(own, directory, None, mounts.MS_BIND)
    mounts.mount("bench", "/run/jails", "tmpfs", 0, "mode=700")


@contextlib.contextmanager
def _leaving_nothing() -> Iterator[None]:
    before = set(groups())
    try:
        yield
    finally:
        for name in set(groups()) - before:
            group = status.group(name)
            group.kill()
            group.wait_empty(5)
            group.remove()
        dismiss_supervisor()


def groups() -> list[str]:
    """Names of the benchmark's control groups."""
    with contextlib.suppress(FileNotFoundError):
        return [name for name in os.listdir(status.group("").unified) if name.startswith(PREFIX)]
    return []


def supervisor_pid() -> int:
    """The supervisor on this ground; it is asked, since the host may have one of its own."""
    from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import client

    with client.connect() as connection:
        protocol.send(connection, {"do": protocol.PING})
        return int(protocol.raise_failure("", protocol.receive(connection))["pid"])


def dismiss_supervisor() -> None:
    """End the supervisor of this ground, if there is one."""
    if os.path.exists(places.SUPERVISOR_SOCKET):
        os.kill(supervisor_pid(), signal.SIGTERM)


def machine() -> str:
    """The machine in one line."""
    system = os.uname()
    cores = len(os.sched_getaffinity(0))
    load = Path("/proc/loadavg").read_text().split()[0]
    return f"{cores} cores, {system.machine}, Linux {system.release}, load {load} at the start"
