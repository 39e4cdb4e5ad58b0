# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .._kernel.cgroup_statistics import read_statistics
from .._kernel.files import read_text
from .._model.document import effective, redacted
from .._model.errors import DocumentError
from .._model.plan_firewall import in_force
from . import allocations, limits, network, places, status, store
from .errors import EngineError
from .host_facts import HostFacts
from .store import RuntimeState

GATHER = ("status", "processes", "resources", "network", "privileges", "disk", "document", "templates")
# For jailctl stat, what of the network counts, without a look at the rest of it.
TRAFFIC = "traffic"


class _Seen(NamedTuple):
    """A jail as it was found: its document, also whole (``full``), and as it runs (``started``), or empty."""

    name: str
    document: Mapping[str, Any]
    damage: str
    full: Mapping[str, Any]
    started: Mapping[str, Any]
    state: RuntimeState | None
    run_state: str
    facts: HostFacts


def describe(name: str, gather: Sequence[str] = ("status",)) -> dict[str, Any]:
    """Everything that is asked for of a jail; ``gather`` as in GATHER. Reads only.

    A jail whose document is damaged is shown as the kernel has it, and says so in its ``message``.
    """
    return describe_all([name], gather)[0]


def describe_all(
    names: Sequence[str], gather: Sequence[str] = ("status",), labels: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The same for each of many jails, those that have these labels, in one pass: what they share is read once."""
    with _facts(names, gather) as facts:
        jails = (_look(name, facts) for name in names)
        wanted = (labels or {}).items()
        return [_row(seen, gather) for seen in jails if wanted <= _labels(seen).items()]


@contextlib.contextmanager
def _facts(names: Sequence[str], gather: Sequence[str]) -> Iterator[HostFacts]:
    known = allocations.find_all()
    if "network" not in gather or len(names) < 2:
        yield HostFacts(allocations=known)
        return
    from .._kernel.link_snapshot import Snapshot

    with Snapshot() as links:
        yield HostFacts(links=links, allocations=known)


def _look(name: str, facts: HostFacts) -> _Seen:
    document, damage = _read_document(name)
    full = effective(document) if document else {}
    state = store.read_state(name)
    run_state = status.run_state_of(name, state)
    started = store.read_started(name, full) if state and run_state in ("running", "frozen") else None
    return _Seen(name, document or {}, damage, full, started or {}, state, run_state, facts)


def _read_document(name: str) -> tuple[dict[str, Any] | None, str]:
    try:
        return store.read_document(name), ""
    except (EngineError, DocumentError) as error:
        return None, str(error)


def _row(seen: _Seen, gather: Sequence[str]) -> dict[str, Any]:
    found = _status_row(seen)
    for subset, reader in _READERS.items():
        if subset in gather:
            found[subset] = reader(seen)
    return found


def _status_row(seen: _Seen) -> dict[str, Any]:
    """One row of jls(8): who a jail is, whether it runs, since when, and where it can be reached.

    ``uptime`` is in seconds, None when it does not run.
    """
    state, running = seen.state, seen.run_state in ("running", "frozen") and seen.state is not None
    allocation = seen.facts.find(seen.name)
    failure = state.message if state and seen.run_state in ("failed", "stuck") else ""
    return {
        "name": seen.name,
        "state": seen.run_state,
        "id": allocation.index if allocation else None,
        "uid_base": allocation.uid_base if allocation else None,
        "pid": state.pid if running and state else None,
        "uptime": int(max(0.0, time.time() - state.started_at)) if running and state else None,
        **_told(seen),
        "autostart": bool(seen.document.get("autostart", False)),
        "restarts": state.restarts if state else 0,
        "exit_status": state.exit_status if state and not running else None,
        "message": seen.damage or failure,
    }


def _told(seen: _Seen) -> dict[str, Any]:
    """What documents tell: enough to group jails by, and nothing that could be a secret.

    Options that can be changed in a running jail are those of its document; of the others it has what it was started
    with.
    """
    live, fixed = seen.full or seen.started, seen.started or seen.full
    ip = in_force(seen.full, seen.started).get("ip", {}) if seen.full and seen.started else live.get("ip", {})
    return {
        "hostname": fixed.get("hostname", seen.name),
        "addresses": list(ip.get("addresses", ())),
        "labels": _labels(seen),
        "profile": fixed.get("caps", {}).get("profile"),
        "template": fixed.get("rootfs", {}).get("source", {}).get("template"),
        "ip_mode": ip.get("mode"),
        "init": fixed.get("init"),
        "depends": list(live.get("depends", ())),
        "limits": {name: value for name, value in live.get("limits", {}).items() if value},
    }


def _labels(seen: _Seen) -> dict[str, str]:
    return dict((seen.full or seen.started).get("labels", {}))


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


def _processes(seen: _Seen) -> list[dict[str, Any]]:
    from . import inmates

    return inmates.processes_of(seen.name)


def _resources(seen: _Seen) -> dict[str, Any]:
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


def _network(seen: _Seen) -> dict[str, Any]:
    observed = network.observe(seen.name, seen.full or None, links=seen.facts.links)
    allocation, document = seen.facts.find(seen.name), seen.document
    if observed is None:
        mode = seen.full["ip"]["mode"] if seen.full else "none"
        return {"mode": mode, "addresses": [], "up": mode == "host"}
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


def _traffic(seen: _Seen) -> dict[str, int] | None:
    """Packets and bytes that the jail has received and sent since its network was made, None where nobody counts."""
    allocation = seen.facts.find(seen.name)
    counted = network.traffic(seen.name, allocation.index, links=seen.facts.links) if allocation else None
    return counted._asdict() if counted else None


def _privileges(seen: _Seen) -> dict[str, Any]:
    """The ceiling of a running jail and the capability sets of its init, by name."""
    from .._kernel import capabilities, files
    from .privileges import Ceiling

    state = seen.state
    raw = files.read_json(places.ceiling(seen.name)) if state and status.is_alive(state) else None
    if raw is None or state is None:
        return {}
    ceiling = Ceiling.from_json(raw)
    lines = (read_text(f"/proc/{state.pid}/status") or "").splitlines()
    shown = [line for line in lines if line.startswith(("Cap", "Seccomp:", "NoNewPrivs"))]
    return {
        "capabilities": sorted(capabilities.name_of(number) for number in ceiling.bounding),
        "no_new_privileges": ceiling.no_new_privileges,
        "seccomp": bool(ceiling.seccomp),
        "init": {line.split(":")[0]: line.split()[1] for line in shown},
        "report": [{"item": line.item, "verdict": line.verdict, "why": line.why} for line in ceiling.report],
    }


def _disk(seen: _Seen) -> dict[str, Any]:
    from .rootfs import roots

    return roots.describe(seen.name) or {}


def _document(seen: _Seen) -> dict[str, Any]:
    return redacted(seen.document)


_READERS = {
    "processes": _processes,
    "resources": _resources,
    "network": _network,
    TRAFFIC: _traffic,
    "privileges": _privileges,
    "disk": _disk,
    "document": _document,
}
