# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Callable

from .cgroups import Cgroup
from .errors import KernelError
from .files import read_text


def read_statistics(group: Cgroup) -> dict[str, int]:
    """What a group uses: memory in bytes, pids, cpu_usec since it was made, oom_kills.

    ``memory_working`` leaves out what the kernel could drop at once, the page cache that nobody has used for a while:
    a group that reads files fills its limit with that, and lacks nothing. A figure whose controller the host does not
    have is left out.
    """
    readers: dict[str, Callable[[], int]] = {
        "memory": lambda: _number(group, "memory", "memory.current", "memory.usage_in_bytes"),
        "memory_working": lambda: _working_set(group),
        "memory_peak": lambda: _number(group, "memory", "memory.peak", "memory.max_usage_in_bytes"),
        "pids": lambda: _number(group, "pids", "pids.current", "pids.current"),
        "cpu_usec": lambda: _cpu_usec(group),
        "oom_kills": lambda: _oom_kills(group),
    }
    found: dict[str, int] = {}
    for name, reader in readers.items():
        try:
            found[name] = reader()
        except (KernelError, ValueError, IndexError):
            continue
    return found


def read_processor_times(group: Cgroup) -> tuple[float, float] | None:
    """Seconds that a group has run in user and in kernel mode, None when it is gone; version 2 counts on any host."""
    try:
        text = read_text(f"{group.unified}/cpu.stat") or ""
        return _field(text, "user_usec") / 1e6, _field(text, "system_usec") / 1e6
    except (KernelError, ValueError):
        return None


def _number(group: Cgroup, controller: str, v2: str, v1: str) -> int:
    name = v2 if group.hierarchies.is_unified(controller) else v1
    return int(read_text(f"{group.directory(controller)}/{name}") or "")


def _working_set(group: Cgroup) -> int:
    field = "inactive_file" if group.hierarchies.is_unified("memory") else "total_inactive_file"
    droppable = _field(read_text(f"{group.directory('memory')}/memory.stat") or "", field)
    return max(0, _number(group, "memory", "memory.current", "memory.usage_in_bytes") - droppable)


def _cpu_usec(group: Cgroup) -> int:
    """cpu.stat of version 2 counts without any controller; the cpuacct controller of version 1 counts nanoseconds."""
    if "cpuacct" in group.hierarchies.controllers:
        return int(read_text(f"{group.directory('cpuacct')}/cpuacct.usage") or "") // 1000
    return _field(read_text(f"{group.unified}/cpu.stat") or "", "usage_usec")


def _oom_kills(group: Cgroup) -> int:
    name = "memory.events" if group.hierarchies.is_unified("memory") else "memory.oom_control"
    return _field(read_text(f"{group.directory('memory')}/{name}") or "", "oom_kill")


def _field(text: str, name: str) -> int:
    for line in text.splitlines():
        key, _unused, value = line.partition(" ")
        if key == name:
            return int(value)
    raise ValueError(name)
