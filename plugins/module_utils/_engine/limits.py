# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import math
import os
import stat
from collections.abc import Mapping
from typing import Any

from .._kernel.cgroup_limits import KNOBS, PERIOD_MICROSECONDS, inherits_cpuset, read_io, write_io
from .._kernel.cgroups import Cgroup
from .._kernel.errors import KernelError
from .._model.sizes import format_size, parse_size
from .errors import EngineError, blaming

_PAGE = 4096
_RATES = ("read_bps", "write_bps", "read_iops", "write_iops")
_REMEDY = "enable it on the host (cgroup_enable=, or the unit's Delegate=), or leave the limit out"


def set_limits(group: Cgroup, limits: Mapping[str, Any], *, jail: str, fresh: bool = False) -> None:
    """Make the limits of a group those of a canonical ``limits`` section; what it does not name is lifted.

    A ``fresh`` group, made just now, has none to lift.
    EngineError names the limit whose controller the host does not have.
    """
    for name, knob in KNOBS.items():
        wanted = _kernel_value(name, limits.get(name))
        if wanted is None and (fresh or knob.controller not in group.hierarchies.controllers):
            continue
        with blaming(f"limits.{name}", jail=jail, remedy=_REMEDY):
            if name == "swap" or knob.read(group) != wanted:
                _write(group, name, wanted)
    if not fresh or limits.get("io"):
        _set_io(group, limits.get("io", ()), jail=jail)


def make_group(group: Cgroup, limits: Mapping[str, Any], *, jail: str) -> None:
    """Make a jail's group with its limits, again where some of it went before it had them; see Cgroup.is_whole."""
    for attempts_left in (2, 1, 0):
        group.create()
        try:
            set_limits(group, limits, jail=jail, fresh=True)
            return
        except EngineError:
            if group.is_whole() or not attempts_left:
                raise


def _write(group: Cgroup, name: str, value: str | None) -> None:
    try:
        KNOBS[name].write(group, value)
    except KernelError:
        # Kernels without swap accounting have no file to lift a limit in.
        if name == "swap" and value is None:
            return
        raise


def _kernel_value(name: str, value: Any) -> str | None:
    """A canonical limit as the kernel will say it back: whole pages, whole microseconds."""
    if value is None:
        return None
    if name in ("memory", "swap"):
        return str(parse_size(value) // _PAGE * _PAGE)
    if name == "cpus":
        return f"{round(float(value) * PERIOD_MICROSECONDS) / PERIOD_MICROSECONDS:.5g}"
    return str(value)


def _set_io(group: Cgroup, entries: Any, *, jail: str) -> None:
    if not entries and "blkio" not in group.hierarchies.controllers:
        return
    wanted: dict[str, dict[str, int | None]] = {}
    for number, entry in enumerate(entries):
        with blaming(f"limits.io[{number}].device", jail=jail, remedy="name a block device of the host"):
            wanted[_device(entry["device"])] = {rate: _rate(entry.get(rate)) for rate in _RATES}
    with blaming("limits.io", jail=jail, remedy=_REMEDY):
        for device in set(read_io(group)) - set(wanted):
            write_io(group, device, dict.fromkeys(_RATES))
        for device, rates in wanted.items():
            write_io(group, device, rates)


def _rate(value: Any) -> int | None:
    return None if value is None else parse_size(value)


def _device(text: str) -> str:
    """``major:minor`` of a block device given by path or in that very form."""
    if not text.startswith("/"):
        return text
    status = os.stat(text)
    if not stat.S_ISBLK(status.st_mode):
        raise OSError(15, os.strerror(15), text)
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def observe_limits(group: Cgroup, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The limits in force, as a canonical section.

    What the kernel rounds (memory to pages, processor time to microseconds) is given back as ``wanted`` where it is
    what that becomes, so that only a true difference shows.
    """
    found: dict[str, Any] = {}
    for name, knob in KNOBS.items():
        if knob.controller not in group.hierarchies.controllers:
            continue
        value = knob.read(group)
        asked = wanted.get(name)
        if asked is not None and value == _kernel_value(name, asked):
            found[name] = asked
        elif value is not None and not (name == "cpuset" and inherits_cpuset(group)):
            found[name] = _canonical(name, value)
    entries = _observe_io(group, wanted.get("io", ()))
    return {**found, "io": entries} if entries else found


def _canonical(name: str, value: str) -> Any:
    if name in ("memory", "swap"):
        return format_size(int(value))
    if name == "cpus":
        number = float(value)
        return int(number) if math.floor(number) == number else number
    return value if name == "cpuset" else int(value)


def _observe_io(group: Cgroup, wanted: Any) -> list[dict[str, Any]]:
    if "blkio" not in group.hierarchies.controllers:
        return list(wanted)
    live = read_io(group)
    found = []
    for entry in wanted:
        rates = live.pop(_device_or_none(entry["device"]), {})
        asked = {rate: _rate(entry[rate]) for rate in _RATES if entry.get(rate) is not None}
        found.append(entry if asked == rates else {"device": entry["device"], **rates})
    return found + [{"device": device, **rates} for device, rates in sorted(live.items()) if rates]


def _device_or_none(text: str) -> str:
    try:
        return _device(text)
    except OSError:
        return ""


def refuse_without_controllers(group: Cgroup, limits: Mapping[str, Any], *, jail: str) -> None:
    """EngineError for the first limit that this host cannot enforce, before anything is done."""
    controllers = {name: knob.controller for name, knob in KNOBS.items()}
    for name in limits:
        controller = controllers.get(name, "blkio")
        if limits[name] and controller not in group.hierarchies.controllers:
            raise EngineError(jail, f"this host has no {controller} controller", path=f"limits.{name}", remedy=_REMEDY)
