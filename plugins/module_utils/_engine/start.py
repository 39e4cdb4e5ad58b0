# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._kernel import files, trees
from .._kernel.cgroups import Cgroup
from .._kernel.errors import KernelError
from .._model.document import effective
from . import allocations, devices, limits, places, status, store
from .errors import EngineError
from .launch.compose import compose
from .launch.launcher import Launch, Launched
from .store import RuntimeState

if TYPE_CHECKING:
    from .supervisor.syslog import Syslog


@dataclass
class Starting:
    """A jail whose start is under way: ``launch`` carries it on, ``record`` or ``abandon`` ends it."""

    name: str
    launch: Launch
    state: RuntimeState
    output: int
    syslog: Syslog | None = None
    # Another descriptor of the same FIFO, of who watches the jail.
    reading: int = -1

    def record(self, launched: Launched) -> RuntimeState:
        """Record that the jail runs; without a record nobody would know of it, so a KernelError undoes the start."""
        self.state = self.state._replace(
            phase="running", pid=launched.pid, start_time=launched.start_time, started_at=time.time()
        )
        store.write_state(self.name, self.state)
        return self.state

    def abandon(self, error: Exception) -> None:
        """End what was started, and record why it did not become a running jail."""
        self.launch.close()
        for fd in (self.output, self.reading):
            if fd >= 0:
                os.close(fd)
        if self.syslog:
            self.syslog.close()
        status.clear_remains(self.name, phase="failed", message=str(error))


def begin(name: str, *, restarts: int = 0, trial: Mapping[str, Any] | None = None) -> Starting:
    """Begin the start of a jail from its document on disk. Callers hold its lock; its namespaces are pinned.

    A ``trial`` is an effective document to start it from for once. Nobody is to start it again when it ends.

    The record comes before everything that it speaks of, so that whoever finds it after a crash knows what to clear.
    EngineError and KernelError leave nothing behind but the record.
    """
    document = store.read_document(name)
    allocation = allocations.find(name)
    if document is None or allocation is None:
        raise EngineError(name, "is not defined", remedy="define it with the jail module first")
    full = effective(document) if trial is None else trial
    status.clear_remains(name)
    state = RuntimeState(
        phase="starting",
        boot_id=store.boot_id(),
        instance=store.new_instance(),
        goal="running" if trial is None else "stopped",
        restarts=restarts,
    )
    store.write_state(name, state)
    try:
        recipe = compose(full, allocation)
        group = status.group(name)
        limits.make_group(group, full["limits"], jail=name)
        devices.hold(group, full, recipe.devices)
        recipe = recipe._replace(held_by_controller=group.is_held_by_controller())
        if full["ip"]["mode"] == "shared":
            _hold_to_addresses(group, full)
        if recipe.system:
            group.delegate(allocation.uid_base, allocation.uid_base)
        files.write_record(places.started_document(name), full)
        files.write_record(places.ceiling(name), recipe.ceiling.to_json())
        syslog = _open_syslog(name, wanted=bool(recipe.syslog), listens=trial is None)
        output = open_output(name, allocation.uid_base)
        try:
            return Starting(name, Launch(recipe, output), state, output, syslog)
        except BaseException:
            os.close(output)
            raise
    except (KernelError, EngineError, OSError) as error:
        status.clear_remains(name, phase="failed", message=str(error))
        raise


def _hold_to_addresses(group: Cgroup, full: Mapping[str, Any]) -> None:
    """Before anything is in the group: what a process makes before it has no rules has none for ever."""
    from . import shared_network

    shared_network.hold(group, full)


def _open_syslog(name: str, *, wanted: bool, listens: bool) -> Syslog | None:
    """The socket for the jail's /dev/log, from before its first process. Nobody would read that of a trial.

    Whoever adopts the jail knows by the directory that there is to be one.
    """
    path = places.syslog(name)
    if not wanted:
        if os.path.isdir(path):
            trees.remove_tree(path)
        return None
    from .supervisor.syslog import listen

    files.make_directory(path)
    os.chmod(path, 0o755)
    return listen(name) if listens else None


def open_output(name: str, owner: int) -> int:
    """The FIFO that a jail prints to, opened for both directions: its writers outlive any reader (fifo(7)).

    It belongs to the jail's root, so that a program may open /dev/stdout again.
    """
    path = places.output(name)
    # That of its last life may be in the hands of another jail, which could keep us from opening it.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.mkfifo(path, 0o600)
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    os.fchown(fd, owner, owner)
    return fd
