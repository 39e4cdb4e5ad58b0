# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .._kernel.cgroup_statistics import read_statistics
from . import limits, network, status
from .errors import EngineError
from .report import TRAFFIC, Seen


def _processes(seen: Seen) -> list[dict[str, Any]]:
    from . import inmates

    return inmates.processes_of(seen.name)


def _resources(seen: Seen) -> dict[str, Any]:
    """What a jail uses and what it may use: bytes, processes, microseconds of processor time.

    ``at`` is when, in seconds of a clock that is never set: what two looks differ by is a rate.
    """
    group = status.group(seen.name)
    there = group.exists()
    return {
        "used": read_statistics(group) if there else {},
        "limits": limits.observe_limits(group, seen.full.get("limits", {})) if there else {},
        "at": round(time.monotonic(), 6),
    }


def _network(seen: Seen) -> dict[str, Any]:
    observed = network.observe(seen.name, seen.full or None, links=seen.facts.links)
    allocation, document = seen.facts.find(seen.name), seen.document
    if observed is None:
        mode = seen.full["ip"]["mode"] if seen.full else "none"
        none = dict.fromkeys(("mtu", "interface", "traffic"))
        return {"mode": mode, "addresses": [], "up": mode == "host", **none}
    interface = allocation.interface if allocation and observed.mode == "vnet" else None
    found = {
        "mode": observed.mode,
        "addresses": list(observed.addresses),
        "mtu": observed.mtu,
        "up": observed.up,
        "interface": interface,
        "traffic": _traffic(seen),
    }
    if observed.mode != "shared" or not document:
        return found
    from .shadowing import described

    return {**found, "interface": document["ip"].get("interface"), "shadowed": described(document)}


def _traffic(seen: Seen) -> dict[str, int] | None:
    """Packets and bytes that the jail has received and sent since its network was made, None where nobody counts."""
    allocation = seen.facts.find(seen.name)
    counted = network.traffic(seen.name, allocation.number, links=seen.facts.links) if allocation else None
    return counted._asdict() if counted else None


def _privileges(seen: Seen) -> dict[str, Any]:
    """The ceiling of a running jail, and what each of its processes may do, by name."""
    from .._kernel import capabilities
    from . import inmate_privileges
    from .ceiling import read_ceiling

    state = seen.state
    if state is None or not status.is_alive(state):
        return {}
    try:
        ceiling = read_ceiling(seen.name)
    except EngineError as error:
        # That of a jail which has been removed meanwhile is not damaged.
        return {"message": str(error)} if status.is_alive(state) else {}
    policy = inmate_privileges.policy_of(seen.full, init=state.pid, ceiling=ceiling)
    processes = inmate_privileges.standings(seen.name, policy)
    return {
        "capabilities": sorted(capabilities.name_of(number) for number in ceiling.bounding),
        "no_new_privileges": ceiling.no_new_privileges,
        "seccomp": bool(ceiling.seccomp),
        "processes": processes,
        "drift": [{key: row[key] for key in ("pid", "command", "drift")} for row in processes if row["drift"]],
        "report": [{"item": line.item, "verdict": line.verdict, "why": line.why} for line in ceiling.report],
    }


def _disk(seen: Seen) -> dict[str, Any]:
    from .rootfs import roots

    return roots.describe(seen.name) or {}


def describe_templates() -> list[dict[str, Any]]:
    """The templates of this host by name, without their long lists of packages; a damaged one has a ``message``."""
    from .rootfs import directories

    names = [name for name in directories.entries(directories.TEMPLATES) if not name.startswith(".")]
    return [row for row in map(_template_row, names) if row]


def _template_row(name: str) -> dict[str, Any]:
    from .rootfs import templates

    try:
        described = templates.describe(name) or {}
    except EngineError as error:
        return {"name": name, "state": "damaged", "message": str(error), "jails": []}
    return {key: value for key, value in described.items() if key != "packages"}


READERS: dict[str, Callable[[Seen], Any]] = {
    "processes": _processes,
    "resources": _resources,
    "network": _network,
    TRAFFIC: _traffic,
    "privileges": _privileges,
    "disk": _disk,
}
