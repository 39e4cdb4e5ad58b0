# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The first process of a context of chcontext: it makes the namespaces, buries the dead, and ends with the last one."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from typing import NamedTuple

from .._kernel import libc, mounts, namespaces, processes
from .._kernel.cgroups import Cgroup
from .._kernel.errors import KernelError
from .errors import EngineError

_OWN_NAMESPACES = namespaces.NEWNS | namespaces.NEWIPC | namespaces.NEWUTS
_READY = b"ready"
_FAILED = 70
_LARGEST_EVENTS = 4096


class Names(NamedTuple):
    """How a context calls itself; empty for the host's names."""

    host: str = ""
    domain: str = ""


class Place(NamedTuple):
    """A context to be: its number, the group of its init, and that of everything else in it."""

    number: int
    init: Cgroup
    inside: Cgroup


def launch(place: Place, names: Names, *, hold: int, keep: int) -> int:
    """Start the init of a context and wait until its namespaces are there; its pid.

    It stays at least until the other end of the pipe ``hold`` is closed, which is ``keep`` of ours. EngineError when it
    could not be.
    """
    reader, writer = os.pipe()
    with namespaces.new_pid_namespace_for_children():
        pid = place.init.fork_member()
        if pid == 0:
            os.close(reader)
            os.close(keep)
            _run(place, names, hold, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    if answer == _READY:
        return pid
    os.waitpid(pid, 0)
    raise EngineError("", answer.decode("utf-8", "replace") or "the init of the context died")


def _run(place: Place, names: Names, hold: int, report: int) -> None:
    """What the init does; it never returns."""
    try:
        events = _prepare(place, names, hold, report)
        os.write(report, _READY)
        os.close(report)
        os.read(hold, 1)
        os.close(hold)
        _stay(events)
        os._exit(0)
    except (KernelError, OSError) as error:
        os.write(report, str(error).encode())
    finally:
        os._exit(_FAILED)


def _prepare(place: Place, names: Names, hold: int, report: int) -> int:
    """Leave what we come from, and make what a context consists of; descriptor of the events of its group."""
    processes.reset_signals()
    processes.set_name(f"context-{place.number}")
    os.setsid()
    events = os.open(f"{place.inside.unified}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    processes.close_descriptors({hold, report, events})
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in range(3):
        os.dup2(null, fd)
    os.close(null)
    os.chdir("/")
    namespaces.unshare(_OWN_NAMESPACES)
    # What the host mounts comes along, what the context mounts stays.
    mounts.mount(None, "/", None, mounts.MS_SLAVE | mounts.MS_REC)
    mounts.mount("proc", "/proc", "proc", mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC)
    if names.host:
        socket.sethostname(names.host)
    if names.domain:
        domain = names.domain.encode()
        libc.call("set domain name", names.domain, "setdomainname", domain, len(domain))
    return events


def _stay(events: int) -> None:
    """Until the group is empty. Orphans of the context become our children, and are buried as they die."""
    signal.signal(signal.SIGCHLD, lambda *_: _bury())
    _bury()
    watcher = select.poll()
    watcher.register(events, select.POLLPRI)
    while b"populated 1" in os.pread(events, _LARGEST_EVENTS, 0):
        watcher.poll()


def _bury() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
