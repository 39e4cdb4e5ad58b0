# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from .._kernel.cgroup_limits import KNOBS
from .._kernel.cgroup_statistics import read_statistics
from .._kernel.cgroups import Cgroup
from .._kernel.errors import KernelError
from . import status


class _Reading(NamedTuple):
    at: float
    cpu_usec: int


class Meter:
    """What jails use now. Processor time is measured between two looks, so the first look knows none."""

    def __init__(self) -> None:
        self._last: dict[str, _Reading] = {}

    def read(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """A row for each jail: bytes, processes, and ``cpu_percent`` of one processor. None is what is not known."""
        rows = [self._row(name) for name in names]
        self._last = {row["name"]: row.pop("reading") for row in rows}
        return rows

    def _row(self, name: str) -> dict[str, Any]:
        group = status.group(name)
        used = read_statistics(group) if group.exists() else {}
        reading = _Reading(time.monotonic(), used.get("cpu_usec", 0))
        memory, limit = used.get("memory"), _limit(group, "memory")
        return {
            "name": name,
            "state": status.run_state(name),
            "cpu_percent": self._percent(name, reading) if used else None,
            "memory": memory,
            "memory_limit": limit,
            "memory_percent": round(100 * memory / limit, 1) if memory is not None and limit else None,
            "pids": used.get("pids"),
            "pids_limit": _limit(group, "pids"),
            "cpu_usec": used.get("cpu_usec"),
            "reading": reading,
        }

    def _percent(self, name: str, reading: _Reading) -> float | None:
        last = self._last.get(name)
        # A group that was made anew since then counts from nothing.
        if last is None or reading.cpu_usec < last.cpu_usec or reading.at <= last.at:
            return None
        return round((reading.cpu_usec - last.cpu_usec) / (reading.at - last.at) / 10_000, 1)


def _limit(group: Cgroup, name: str) -> int | None:
    """A limit in force, None where there is none, or no controller for it."""
    knob = KNOBS[name]
    if knob.controller not in group.hierarchies.controllers:
        return None
    try:
        value = knob.read(group)
    except KernelError:
        return None
    return int(value) if value else None
