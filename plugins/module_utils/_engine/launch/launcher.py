# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from typing import NamedTuple

from ..._kernel import files, namespaces, pidfd, processes
from ..._kernel.cgroups import Cgroup
from ..._kernel.errors import KernelError
from .. import status
from ..errors import EngineError
from . import control, setup
from .control import Child
from .recipe import Recipe
from .start import Start

# A start takes milliseconds; one that hangs (a mount on a dead server, say) is given up after this.
DEADLINE_SECONDS = 30.0


class Launched(NamedTuple):
    """A jail that runs: its init's pid, start time in clock ticks since boot, and a pidfd of it."""

    pid: int
    start_time: int
    pidfd: int


class Launch:
    """A start under way, seen from the launcher.

    ``fd`` becomes readable when there is something to do for ``advance``, so that one process can carry several
    starts. The jail's control group must be there, with its limits set: all that runs here is born in it. If the
    launcher dies, so does everything that it started and did not yet release.
    """

    def __init__(self, recipe: Recipe, output: int) -> None:
        self.recipe = recipe
        self.deadline = time.monotonic() + DEADLINE_SECONDS
        self._pid = 0
        self._pidfd = -1
        self._start_time = 0
        self._released = False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # In the system order a pid namespace of the jail's own user namespace is wanted: the child makes it.
        own_pids = contextlib.nullcontext() if recipe.system else namespaces.new_pid_namespace_for_children()
        with theirs, own_pids, _user_namespace(recipe) as user_namespace:
            # To move it there would take the kernel ten milliseconds and more.
            self._child = Cgroup(status.hierarchies(), recipe.cgroup).fork_member()
            if self._child == 0:
                setup.run(Start(recipe, Child(theirs.detach()), output, user_namespace))
        self.fd = ours.detach()
        if not recipe.system:
            try:
                self._meet_init(self._child)
            except KernelError:
                self.close()
                raise

    def advance(self) -> Launched | None:
        """Take one step; the result when the jail's program runs. EngineError when it cannot."""
        report = control.receive(self.fd)
        if report is None:
            return self._finished()
        if report.error:
            raise EngineError(self.recipe.name, report.error, path=report.path, remedy=report.remedy)
        if report.pid:
            self._meet_init(report.pid)
        if report.ready:
            self._released = True
            control.send_go(self.fd)
        return None

    def _meet_init(self, pid: int) -> None:
        self._pid = pid
        self._pidfd = pidfd.open_pidfd(pid)
        self._start_time = processes.start_time(pid) or 0

    def _finished(self) -> Launched:
        if not self._released:
            raise EngineError(
                self.recipe.name,
                "its first process died while it was being set up",
                remedy="is limits.memory or limits.pids too small to start anything?",
            )
        return Launched(self._pid, self._start_time, os.dup(self._pidfd))

    def close(self) -> None:
        """Let go of all but the jail. One that was not released dies; its control group is left to the caller."""
        if not self._released:
            os.kill(self._child, signal.SIGKILL)
        for fd in (self.fd, self._pidfd):
            if fd >= 0:
                os.close(fd)
        self.fd = self._pidfd = -1
        if not self._released or self._child != self._pid:
            os.waitpid(self._child, 0)


def _user_namespace(recipe: Recipe) -> contextlib.AbstractContextManager[int]:
    if recipe.user_namespace:
        return files.closing(namespaces.open_pin(recipe.user_namespace))
    return contextlib.nullcontext(-1)


def launch(recipe: Recipe, output: int) -> Launched:
    """Start a jail and wait until its program runs."""
    return complete(Launch(recipe, output))


def complete(start: Launch) -> Launched:
    """Wait until the program of a start under way runs; one that comes to nothing leaves no process."""
    name = start.recipe.name
    try:
        while True:
            ready, _unused, _unused = select.select([start.fd], [], [], max(0.0, start.deadline - time.monotonic()))
            if not ready:
                raise EngineError(name, f"the start did not end within {DEADLINE_SECONDS:.0f} seconds")
            launched = start.advance()
            if launched:
                return launched
    except KernelError as error:
        raise EngineError(name, str(error)) from error
    finally:
        start.close()
