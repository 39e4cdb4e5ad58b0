# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Commands in jails that do not run: to fill one before its first start, or to mend one that does not start.

The command enters a jail that is started for it and ends with it: the same root, mounts, ids, limits and ceiling, but
nothing of the jail's own runs in it, and it has no network.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

from .._kernel import pidfd
from .._model.document import effective
from .._model.names import jail_name
from . import allocations, devices, enter, limits, places, status, store
from .enter import Entry, Target
from .errors import EngineError
from .launch.compose import compose
from .launch.launcher import launch
from .launch.reaper import find_reaper
from .launch.recipe import Recipe
from .store import RuntimeState


def run(name: str, entry: Entry) -> int:
    """Run a command in a jail, whether that runs or not; see ``enter.run`` for the rest.

    Where it does not, the command holds the jail's lock: whoever wants to start, change or remove the jail waits for
    its end, and so does the next command. Two mounts of one upper layer destroy it (overlayfs.rst, "Sharing and
    copying layers").
    """
    if _is_stopped(name):
        with store.lock(jail_name(name)) as lock:
            # It may have been started, or removed, while we waited.
            if _is_stopped(name):
                with _standing_by(name) as target:
                    return enter.run_in(target, entry)
            if not os.path.exists(places.document(name)):
                lock.remove()
    return enter.run(name, entry)


def _is_stopped(name: str) -> bool:
    return os.path.exists(places.document(name)) and not status.is_alive(store.read_state(name))


@contextlib.contextmanager
def _standing_by(name: str) -> Iterator[Target]:
    """A jail of a jail's own making, with an idle init, for the length of a block. Callers hold the jail's lock."""
    before = store.read_state(name)
    if before is None:
        # Processes in the group of a jail without a record are a start that was cut short.
        before = RuntimeState(phase="stopped", boot_id=store.boot_id(), instance=store.new_instance())
        store.write_state(name, before)
    status.clear_remains(name, phase=before.phase)
    try:
        recipe = _recipe(name)
        with _idle(recipe) as target:
            yield target
    finally:
        status.clear_remains(name, phase=before.phase)


def _recipe(name: str) -> Recipe:
    """How the jail would start, without what is its own: its command, its services, its network.

    In the app order also for a jail that would boot: nobody needs to mount anything here.
    """
    document, allocation = store.read_document(name), allocations.find(name)
    if document is None or allocation is None:
        raise EngineError(name, "is not defined", remedy="define it with the jail module first")
    full = effective(document)
    allocations.ensure_user_namespace(allocation)
    recipe = compose(full, allocation)
    group = status.group(name)
    limits.make_group(group, full["limits"], jail=name)
    devices.hold(group, full, recipe.devices)
    return recipe._replace(
        init=find_reaper(pausing=True),
        command=(),
        user="root",
        workdir="",
        system=False,
        standby=True,
        syslog="",
        held_by_controller=group.is_held_by_controller(),
    )


@contextlib.contextmanager
def _idle(recipe: Recipe) -> Iterator[Target]:
    """Start it and end it; should we be killed in between, it dies with us."""
    # For what its init prints. It is given to the jail's root, so it must not be a file of the host's.
    reader, writer = os.pipe()
    try:
        os.fchown(writer, recipe.id_base, recipe.id_base)
        launched = launch(recipe, writer)
    finally:
        os.close(reader)
        os.close(writer)
    try:
        yield Target(
            recipe.name, launched.pid, os.dup(launched.pidfd), recipe.ceiling, recipe.environment, delegates=False
        )
    finally:
        pidfd.send_signal(launched.pidfd, signal.SIGKILL)
        os.waitpid(launched.pid, 0)
        os.close(launched.pidfd)
