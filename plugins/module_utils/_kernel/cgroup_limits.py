# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass

from .cgroups import Cgroup, read, write
from .errors import KernelError

PERIOD_MICROSECONDS = 100_000
_UNLIMITED_V1 = 1 << 62
_DEFAULT_SHARES = 1024
_DEFAULT_WEIGHT = 100


@dataclass(frozen=True)
class Knob:
    """How one limit is written to and read from a group.

    ``write`` takes the value or None for unlimited; ``read`` returns the value or None.
    """

    controller: str
    write: Callable[[Cgroup, str | None], None]
    read: Callable[[Cgroup], str | None]


def _path(group: Cgroup, controller: str, v2: str, v1: str) -> str:
    name = v2 if group.hierarchies.is_unified(controller) else v1
    return f"{group.directory(controller)}/{name}"


def _content(path: str) -> str | None:
    return read(path).strip() or None


def _plain(controller: str, v2: str, v1: str, unlimited_v1: str = "max") -> Knob:
    """A limit that is one number in one file."""

    def write_value(group: Cgroup, value: str | None) -> None:
        unlimited = "max" if group.hierarchies.is_unified(controller) else unlimited_v1
        write(_path(group, controller, v2, v1), unlimited if value is None else value)

    def read_value(group: Cgroup) -> str | None:
        value = _content(_path(group, controller, v2, v1))
        if value is None or value == "max":
            return None
        return None if value.isdigit() and int(value) >= _UNLIMITED_V1 else value

    return Knob(controller, write_value, read_value)


def _write_cpus(group: Cgroup, value: str | None) -> None:
    quota = "max" if value is None else str(round(float(value) * PERIOD_MICROSECONDS))
    if group.hierarchies.is_unified("cpu"):
        write(f"{group.directory('cpu')}/cpu.max", f"{quota} {PERIOD_MICROSECONDS}")
        return
    directory = group.directory("cpu")
    write(f"{directory}/cpu.cfs_period_us", str(PERIOD_MICROSECONDS))
    write(f"{directory}/cpu.cfs_quota_us", "-1" if value is None else quota)


def _read_cpus(group: Cgroup) -> str | None:
    directory = group.directory("cpu")
    if group.hierarchies.is_unified("cpu"):
        quota, _unused, period = (_content(f"{directory}/cpu.max") or "max 1").partition(" ")
    else:
        quota = _content(f"{directory}/cpu.cfs_quota_us") or "-1"
        period = _content(f"{directory}/cpu.cfs_period_us") or "1"
    if quota in ("max", "-1"):
        return None
    return f"{int(quota) / int(period):.5g}"


def _write_weight(group: Cgroup, value: str | None) -> None:
    weight = int(value or _DEFAULT_WEIGHT)
    if group.hierarchies.is_unified("cpu"):
        write(f"{group.directory('cpu')}/cpu.weight", str(weight))
        return
    write(f"{group.directory('cpu')}/cpu.shares", str(max(2, weight * _DEFAULT_SHARES // _DEFAULT_WEIGHT)))


def _read_weight(group: Cgroup) -> str | None:
    if group.hierarchies.is_unified("cpu"):
        weight = int(_content(f"{group.directory('cpu')}/cpu.weight") or _DEFAULT_WEIGHT)
    else:
        shares = int(_content(f"{group.directory('cpu')}/cpu.shares") or _DEFAULT_SHARES)
        weight = -(-shares * _DEFAULT_WEIGHT // _DEFAULT_SHARES)
    return None if weight == _DEFAULT_WEIGHT else str(weight)


def _write_cpuset(group: Cgroup, value: str | None) -> None:
    path = f"{group.directory('cpuset')}/cpuset.cpus"
    if value is None:
        _lift_cpuset(group, path)
    else:
        write(path, value)


def _lift_cpuset(group: Cgroup, path: str) -> None:
    if group.hierarchies.is_unified("cpuset"):
        try:
            write(path, "\n")
            return
        except KernelError as error:
            # Linux 6.1 lets no version 2 group with processes in it name no processors any more (validate_change()).
            if error.errno != errno.ENOSPC:
                raise
    write(path, _processors_above(group))


def _processors_above(group: Cgroup) -> str:
    name = "cpuset.cpus.effective" if group.hierarchies.is_unified("cpuset") else "cpuset.cpus"
    return _content(f"{os.path.dirname(group.directory('cpuset'))}/{name}") or "\n"


def _read_cpuset(group: Cgroup) -> str | None:
    return _content(f"{group.directory('cpuset')}/cpuset.cpus")


def inherits_cpuset(group: Cgroup) -> bool:
    """Whether a group may run wherever the one above it may: a version 1 group always names its processors."""
    own = _content(f"{group.directory('cpuset')}/cpuset.cpus")
    return own is None or own == _processors_above(group)


def _write_swap(group: Cgroup, value: str | None) -> None:
    if group.hierarchies.is_unified("memory"):
        write(f"{group.directory('memory')}/memory.swap.max", "max" if value is None else value)
        return
    directory = group.directory("memory")
    memory = int(_content(f"{directory}/memory.limit_in_bytes") or _UNLIMITED_V1)
    total = -1 if value is None or memory >= _UNLIMITED_V1 else memory + int(value)
    write(f"{directory}/memory.memsw.limit_in_bytes", str(total))


def _read_swap(group: Cgroup) -> str | None:
    directory = group.directory("memory")
    if group.hierarchies.is_unified("memory"):
        value = _content(f"{directory}/memory.swap.max")
        return None if value == "max" else value
    total = int(_content(f"{directory}/memory.memsw.limit_in_bytes") or _UNLIMITED_V1)
    memory = int(_content(f"{directory}/memory.limit_in_bytes") or _UNLIMITED_V1)
    return None if total >= _UNLIMITED_V1 or memory >= _UNLIMITED_V1 else str(total - memory)


def _write_memory(group: Cgroup, value: str | None) -> None:
    """In version 1 the limit of memory may not exceed that of memory and swap, so that one is opened first."""
    if group.hierarchies.is_unified("memory"):
        write(f"{group.directory('memory')}/memory.max", "max" if value is None else value)
        return
    directory = group.directory("memory")
    with contextlib.suppress(KernelError):
        write(f"{directory}/memory.memsw.limit_in_bytes", "-1")
    write(f"{directory}/memory.limit_in_bytes", "-1" if value is None else value)


def _read_memory(group: Cgroup) -> str | None:
    value = _content(_path(group, "memory", "memory.max", "memory.limit_in_bytes"))
    if value is None or value == "max" or int(value) >= _UNLIMITED_V1:
        return None
    return value


# Order matters: memory before swap, which is written relative to it in version 1.
KNOBS: dict[str, Knob] = {
    "memory": Knob("memory", _write_memory, _read_memory),
    "swap": Knob("memory", _write_swap, _read_swap),
    "pids": _plain("pids", "pids.max", "pids.max"),
    "cpus": Knob("cpu", _write_cpus, _read_cpus),
    "cpu_weight": Knob("cpu", _write_weight, _read_weight),
    "cpuset": Knob("cpuset", _write_cpuset, _read_cpuset),
}

_IO_FILES = {
    "read_bps": ("rbps", "blkio.throttle.read_bps_device"),
    "write_bps": ("wbps", "blkio.throttle.write_bps_device"),
    "read_iops": ("riops", "blkio.throttle.read_iops_device"),
    "write_iops": ("wiops", "blkio.throttle.write_iops_device"),
}


def write_io(group: Cgroup, device: str, rates: dict[str, int | None]) -> None:
    """Limit the rates of one block device (``major:minor``); None lifts a limit. Bytes or operations a second."""
    directory = group.directory("blkio")
    if group.hierarchies.is_unified("blkio"):
        words = [f"{_IO_FILES[rate][0]}={'max' if value is None else value}" for rate, value in rates.items()]
        write(f"{directory}/io.max", " ".join([device, *words]))
        return
    for rate, value in rates.items():
        write(f"{directory}/{_IO_FILES[rate][1]}", f"{device} {value or 0}")


def read_io(group: Cgroup) -> dict[str, dict[str, int]]:
    """Rates in force by device (``major:minor``), those without a limit left out."""
    directory = group.directory("blkio")
    if group.hierarchies.is_unified("blkio"):
        return _parse_io_max(_content(f"{directory}/io.max") or "")
    found: dict[str, dict[str, int]] = {}
    for rate, (_unused, name) in _IO_FILES.items():
        for line in (_content(f"{directory}/{name}") or "").splitlines():
            device, _unused, value = line.partition(" ")
            found.setdefault(device, {})[rate] = int(value)
    return found


def _parse_io_max(text: str) -> dict[str, dict[str, int]]:
    rates_by_word = {word: rate for rate, (word, _unused) in _IO_FILES.items()}
    found: dict[str, dict[str, int]] = {}
    for line in text.splitlines():
        device, *words = line.split()
        pairs = (word.partition("=") for word in words)
        found[device] = {rates_by_word[key]: int(value) for key, _unused, value in pairs if value != "max"}
    return found
