# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Other devices for a jail that goes on running.

Nodes are mounted and unmounted in its ``/dev`` by its own root, whom a helper of ours becomes: whatever the jail has
made of that directory, no more can be done to it than it could do itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .._kernel import files, mounts, namespaces, paths, pidfd, processes
from .._kernel.credentials import become
from .._kernel.errors import KernelError
from .._model.devices import Device
from .._model.document import effective
from . import allocations, devices, places, status, store
from .errors import EngineError
from .launch.nodes import clone_nodes
from .launch.tree import make_node

_SECONDS = 10
_REMEDY = "remove that in the jail, or restart it (state: restarted), which makes its /dev anew"


def change(document: Mapping[str, Any]) -> None:
    """Give a running jail the devices of an effective document, and take those that it had by another.

    The control group comes first, for no jail is asked whether something may be taken from it, and last, to say that
    the nodes are done. What a process of the jail has open stays open. EngineError names what the host does not have,
    or what is in the way in the jail's /dev.
    """
    jail = document["name"]
    wanted = devices.resolve(document)
    devices.hold(status.group(jail), document, wanted, before_nodes=True)
    started = effective(store.read_started(jail, document) or document)
    had = {entry["path"] for entry in started["caps"]["devices"] if not isinstance(entry, str)}
    had |= {device.path for device in _usual(started)}
    _mount_nodes(jail, wanted, sorted(had - {device.path for device in wanted}))
    in_force = {**started, "caps": {**started["caps"], "devices": document["caps"]["devices"]}}
    files.write_record(places.started_document(jail), in_force)
    devices.hold(status.group(jail), document, wanted)


def _usual(document: Mapping[str, Any]) -> tuple[Device, ...]:
    """The devices of the profile alone, which are on every host."""
    words = [entry for entry in document["caps"]["devices"] if isinstance(entry, str)]
    return devices.resolve({**document, "caps": {**document["caps"], "devices": words}})


def _mount_nodes(jail: str, wanted: Sequence[Device], unwanted: Sequence[str]) -> None:
    state, allocation = store.read_state(jail), allocations.find(jail)
    if state is None or allocation is None or not status.is_alive(state):
        raise _ended(jail)
    change = NodeChange(jail, state.pid, wanted, unwanted, allocation.uid_base)
    try:
        opened = pidfd.open_pidfd(state.pid)
    except KernelError as error:
        raise _ended(jail) from error
    with files.closing(opened) as init:
        try:
            if allocation.ids.size:
                processes.run_in_child(lambda: _change_nodes(change, init))
            else:
                _make_nodes_anew(change)
        except (KernelError, OSError) as error:
            if pidfd.is_ending(init):
                raise _ended(jail) from error
            raise EngineError(jail, str(error), path="caps.devices", remedy=_REMEDY) from error


def _ended(jail: str) -> EngineError:
    return EngineError(jail, "has ended meanwhile", remedy="run the task again")


class NodeChange(NamedTuple):
    """Nodes that are to be in a jail's /dev, and paths at which there is to be none."""

    jail: str
    init: int
    wanted: Sequence[Device]
    unwanted: Sequence[str]
    owner: int


def _change_nodes(change: NodeChange, init: int) -> bytes:
    """In a child: undumpable before it is among the jail's processes, which in their pid namespace it never is.

    A jail that has put a file system of its own on its /dev may let us wait for ever.
    """
    signal.alarm(_SECONDS)
    processes.set_undumpable()
    processes.forbid_imports()
    missing = _missing(change)
    namespaces.unshare(namespaces.NEWNS)
    mounts.mount(None, "/", None, mounts.MS_SLAVE | mounts.MS_REC)
    nodes = clone_nodes(missing, stage=places.device_stage(change.jail), owner=change.owner)
    namespaces.setns(init, namespaces.NEWUSER | namespaces.NEWNS)
    become(uid=0, gid=0, groups=[])
    processes.set_undumpable()
    for path in change.unwanted:
        if _is_device(path):
            _clear(path)
    for path in nodes:
        _clear(path)
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for path, node in nodes.items():
        target = paths.make_file(root, path)
        mounts.attach(node, target)
        os.close(target)
    return b""


def _make_nodes_anew(change: NodeChange) -> None:
    """For a jail on the host's ids, from outside: nobody with power over the host goes where its root has prepared.

    Nobody in there mounts; no link leads out of its /dev, as that is where every path begins.
    """
    with files.closing(os.open(f"/proc/{change.init}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)) as root:
        missing = _missing(change)
        with files.closing(_open_directory(root, "dev")) as dev:
            for path in change.unwanted:
                place, name = os.path.split(path[len("/dev/") :])
                with contextlib.suppress(KernelError), files.closing(_open_directory(dev, place)) as parent:
                    if _is_device(name, parent):
                        os.unlink(name, dir_fd=parent)
            for device in missing:
                place, name = os.path.split(device.path[len("/dev/") :])
                with files.closing(paths.make_directory(dev, place or ".")) as parent:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=parent)
                    make_node(parent, name, device, owner=change.owner)


def _open_directory(directory: int, path: str) -> int:
    return paths.open_beneath(directory, path or ".", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)


def _missing(change: NodeChange) -> list[Device]:
    with files.closing(os.open(f"/proc/{change.init}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)) as root:
        return [device for device in change.wanted if not _is_there(root, device)]


def _is_there(root: int, device: Device) -> bool:
    try:
        with files.closing(paths.open_beneath(root, device.path, os.O_PATH | os.O_NOFOLLOW)) as fd:
            found = os.fstat(fd)
    except KernelError:
        return False
    kind = stat.S_IFBLK if device.block else stat.S_IFCHR
    return (found.st_mode, found.st_rdev) == (kind | device.mode, os.makedev(device.major, device.minor))


def _is_device(path: str, directory: int | None = None) -> bool:
    """What the jail has put in the place of a node is its own."""
    try:
        mode = os.stat(path, dir_fd=directory, follow_symlinks=False).st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def _clear(path: str) -> None:
    """Unmount a node and remove what it was mounted on, or the node itself, as often as it is there."""
    with contextlib.suppress(KernelError):
        while True:
            mounts.unmount(path, mounts.MNT_DETACH | mounts.UMOUNT_NOFOLLOW)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise KernelError.from_os_error("remove", path, error) from error
