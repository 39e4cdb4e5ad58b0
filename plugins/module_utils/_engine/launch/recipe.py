# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..._model.devices import Device
from ..ceiling import Ceiling
from ..rootfs.overlay import Layers


class Mount(NamedTuple):
    """One entry of the document's ``mounts``; ``option`` is its path there. An empty source means a tmpfs."""

    option: str
    source: str
    target: str
    read_only: bool = False
    size: str = ""


class Recipe(NamedTuple):
    """Everything that the start of one jail needs, decided beforehand: the start itself makes no choices.

    ``init`` is the path on the host of a reaper to run as pid 1 (``pause``: without a command), or ``none`` (the
    command is pid 1), ``system`` (the jail's own /sbin/init) or ``builtin`` (this very process reaps).
    ``user_namespace`` and ``network`` are the paths of the pinned namespaces, empty for the host's. ``id_base`` is the
    host id of the jail's root. ``system`` chooses the start order: the jail's own root mounts (a whole distribution),
    instead of mounts that the host's root made and the jail can only look at. ``standby``: it is there for a command
    that enters it, has no network, and dies with its launcher. ``syslog`` is the directory of the host with the socket
    for its /dev/log, empty for none. ``limits`` are those that its group has been given, and ``held_by_controller``
    is whether the version 1 controller of devices has the group.
    """

    name: str
    hostname: str
    layers: Layers
    user_namespace: str
    network: str
    cgroup: str
    id_base: int
    init: str
    command: tuple[str, ...]
    user: str
    workdir: str
    ceiling: Ceiling
    devices: tuple[Device, ...] = ()
    system: bool = False
    standby: bool = False
    environment: Mapping[str, str] = {}
    mounts: tuple[Mount, ...] = ()
    masked_paths: tuple[str, ...] = ()
    read_only_paths: tuple[str, ...] = ()
    rlimits: Mapping[str, tuple[int, int]] = {}
    sysctls: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    syslog: str = ""
    limits: Mapping[str, Any] = {}
    held_by_controller: bool = False
