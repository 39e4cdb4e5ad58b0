# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._kernel.cgroup_devices import takes_programs
from .._kernel.errors import KernelError
from .._model.devices import danger_of
from . import devices, status
from .errors import EngineError
from .finding import Finding
from .findings import ENFORCED, PARTIAL, UNAVAILABLE

_BY_PROGRAM = "by a program on the jail's control group, through whatever node"
_BY_CONTROLLER = "by the devices controller of version 1, through whatever node"
_BY_MOUNTS = (
    "this kernel has neither programs on control groups nor the devices controller: what keeps a jail from other"
    " devices are mounts without them, and that its root makes no nodes"
)


def examine_devices(document: Mapping[str, Any]) -> Iterator[Finding]:
    """The truth about the devices of a jail, on this kernel."""
    try:
        found = devices.resolve(document) if (document.get("caps") or {}).get("devices") else ()
    except EngineError as error:
        yield Finding("devices", UNAVAILABLE, error.message)
        return
    yield _worth_of_list()
    for device in found:
        danger = danger_of(device)
        if danger:
            yield Finding(f"device {device.path}", ENFORCED, danger)


def _worth_of_list() -> Finding:
    if takes_programs():
        return Finding("devices", ENFORCED, _BY_PROGRAM)
    if _has_controller():
        return Finding("devices", ENFORCED, _BY_CONTROLLER)
    return Finding("devices", PARTIAL, _BY_MOUNTS)


def can_hold() -> bool:
    """Whether this host can hold a jail to its devices at all."""
    return takes_programs() or _has_controller()


def _has_controller() -> bool:
    try:
        return bool(status.hierarchies().devices)
    except KernelError:
        return False
