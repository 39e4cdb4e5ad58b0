# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The devices of a jail: what its document comes to on this host, and the control group that is held to them.

The nodes in its ``/dev`` are made by the start (``launch``) and changed by ``device_changes``. They are what it finds;
what it may open, through whatever node, the control group decides.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from .._kernel.cgroup_devices import MAKE, READ, WRITE, Rule, hold_group, is_held_group
from .._kernel.cgroups import Cgroup
from .._model.devices import DEFAULT, PROFILES, TERMINALS, Device, danger_of, profile_of
from .errors import EngineError

# Part of every identity: other programs for the same devices have another number.
_GENERATION = 1
# The jails of a host have few lists of devices, and most the same one.
_MOST_LISTS = 16
_BITS = {"r": READ, "w": WRITE, "rw": READ | WRITE}


def resolve(document: Mapping[str, Any]) -> tuple[Device, ...]:
    """The devices of a jail, those of its profile first, from its effective document.

    EngineError for one that this host does not have, or that reaches beyond the jail without a word about that.
    """
    entries, jail = document["caps"]["devices"], str(document.get("name", ""))
    said = [(index, entry) for index, entry in enumerate(entries) if not isinstance(entry, str)]
    return (*PROFILES[profile_of(entries)], *(_resolve(entry, index, jail) for index, entry in said))


def _resolve(entry: Mapping[str, Any], index: int, jail: str) -> Device:
    path = f"caps.devices[{index}]"
    if "major" in entry:
        found = Device(entry["path"], entry["major"], entry["minor"], entry["type"] == "block", mode=0o660)
    else:
        found = _look_up(entry, path, jail)
    mode = int(entry["mode"], 8) if "mode" in entry else found.mode
    device = found._replace(access=entry.get("access", "rw"), mode=mode)
    danger = danger_of(device)
    if danger and not entry.get("unsafe"):
        message = f"{device.path} is not for a jail: {danger}"
        raise EngineError(jail, message, path=path, remedy="leave it out, or say unsafe: true if you want just that")
    return device


def _look_up(entry: Mapping[str, Any], path: str, jail: str) -> Device:
    source = entry.get("source", entry["path"])
    where = f"{path}.source" if "source" in entry else f"{path}.path"
    try:
        status = os.stat(source)
    except OSError as error:
        remedy = "load its driver on the host, or say type, major and minor of a device that comes later"
        raise EngineError(jail, f"the host has no {source}", path=where, remedy=remedy) from error
    if not (stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)):
        raise EngineError(jail, f"the host's {source} is no device", path=where, remedy="name the node of a device")
    return Device(
        entry["path"],
        os.major(status.st_rdev),
        os.minor(status.st_rdev),
        stat.S_ISBLK(status.st_mode),
        mode=stat.S_IMODE(status.st_mode) & 0o777,
    )


def hold(
    group: Cgroup, document: Mapping[str, Any], devices: tuple[Device, ...], *, before_nodes: bool = False
) -> bool:
    """Hold a jail's control group to its devices; whether that changed anything.

    With ``before_nodes`` it is not found to be held to them until that has been done once more.
    """
    terminals = _has_terminals(document)
    identity = _identity(devices, terminals=terminals)
    rules = _rules(devices, terminals=terminals)
    return hold_group(group, rules, identity[::-1] if before_nodes else identity)


def observe(group: Cgroup, document: Mapping[str, Any]) -> bool | None:
    """Whether a running jail is held to the devices of its document; None on a host that holds no jail to any.

    A device that the host does not have any more changes nothing of what was allowed.
    """
    try:
        devices = resolve(document)
    except EngineError:
        return None
    terminals = _has_terminals(document)
    return is_held_group(group, _rules(devices, terminals=terminals), _identity(devices, terminals=terminals))


def _has_terminals(document: Mapping[str, Any]) -> bool:
    return profile_of(document["caps"]["devices"]) == DEFAULT


@lru_cache(maxsize=_MOST_LISTS)
def _identity(devices: tuple[Device, ...], *, terminals: bool) -> str:
    """Of the nodes too: it is given when they are what they should be."""
    return sha256(repr((_GENERATION, terminals, *map(tuple, devices))).encode()).hexdigest()[:12]


@lru_cache(maxsize=_MOST_LISTS)
def _rules(devices: tuple[Device, ...], *, terminals: bool) -> tuple[Rule, ...]:
    """Making a node of a device that is given gives nothing more; the start itself makes them.

    One rule for each device, however many names it has.
    """
    access: dict[tuple[bool, int, int | None], int] = {}
    for device in devices:
        key = (device.block, device.major, device.minor)
        access[key] = access.get(key, MAKE) | _BITS[device.access]
    if terminals:
        access.update({(False, *numbers): READ | WRITE | MAKE for numbers in TERMINALS})
    return tuple(Rule(*numbers, bits) for numbers, bits in access.items())
