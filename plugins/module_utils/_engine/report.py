# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .._kernel.cgroup_statistics import read_statistics
from .._kernel.files import read_text
from .._model.document import effective, redacted
from . import allocations, live, places, status, store
from .errors import EngineError

GATHER = ("status", "processes", "resources", "network", "privileges", "disk", "document", "templates")


def status_row(name: str, document: Mapping[str, Any] | None) -> dict[str, Any]:
    """One row of jls(8): who a jail is, whether it runs, since when, and where it can be reached.

    ``uptime`` is in seconds, None when it does not run; ``addresses`` are those of the document in force.
    """
    state = store.read_state(name)
    run_state = status.run_state(name)
    running = run_state in ("running", "frozen") and state is not None
    in_force = (store.read_started(name) if running else None) or (effective(document) if document else {})
    allocation = allocations.find(name)
    return {
        "name": name,
        "state": run_state,
        "id": allocation.index if allocation else None,
        "uid_base": allocation.uid_base if allocation else None,
        "pid": state.pid if running and state else None,
        "uptime": int(max(0.0, time.time() - state.started_at)) if running and state else None,
        "hostname": in_force.get("hostname", name),
        "addresses": list(in_force.get("ip", {}).get("addresses", [])),
        "labels": dict(in_force.get("labels", {})),
        "autostart": bool((document or {}).get("autostart", False)),
        "restarts": state.restarts if state else 0,
        "exit_status": state.exit_status if state and not running else None,
        "message": state.message if state and run_state in ("failed", "stuck") else "",
        **_summary(in_force),
    }


def _summary(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a list tells of an effective document: enough to group jails by, and nothing that could be a secret."""
    return {
        "profile": document.get("caps", {}).get("profile"),
        "template": document.get("rootfs", {}).get("source", {}).get("template"),
        "ip_mode": document.get("ip", {}).get("mode"),
        "init": document.get("init"),
        "depends": list(document.get("depends", [])),
        "limits": {name: value for name, value in document.get("limits", {}).items() if value},
    }


def describe(name: str, gather: tuple[str, ...] = ("status",)) -> dict[str, Any]:
    """Everything that is asked for of a jail; ``gather`` as in GATHER. Reads only.

    A jail whose document is damaged is shown as the kernel has it, and says so in its ``message``.
    """
    document, damage = _read_document(name)
    found = status_row(name, document)
    if damage:
        found["message"] = damage
    for subset, reader in _READERS.items():
        if subset in gather:
            found[subset] = reader(name, document)
    return found


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


def _read_document(name: str) -> tuple[dict[str, Any] | None, str]:
    try:
        return store.read_document(name), ""
    except EngineError as error:
        return None, str(error)


def _processes(name: str, _unused: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The processes of a jail as the host sees them; ``jail_pid`` is what the jail calls them."""
    rows = []
    for pid in status.group(name).processes():
        text = read_text(f"/proc/{pid}/status") or ""
        fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        if not fields:
            continue
        command = (read_text(f"/proc/{pid}/cmdline") or "").replace("\0", " ").strip()
        rows.append(
            {
                "pid": pid,
                "jail_pid": int(fields.get("NSpid", str(pid)).split()[-1]),
                "uid": int(fields["Uid"].split()[0]),
                "state": fields["State"].split()[0],
                "memory": int(fields.get("VmRSS", "0 kB").split()[0]) * 1024,
                "command": command or fields["Name"],
            }
        )
    return rows


def _resources(name: str, document: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a jail uses and what it may use: bytes, processes, microseconds of processor time.

    ``at`` is when, in seconds of a clock that is never set: what two looks differ by is a rate.
    """
    group = status.group(name)
    limits = live.observe(name, document).limits or {}
    return {
        "used": read_statistics(group) if group.exists() else {},
        "limits": limits,
        "at": round(time.monotonic(), 6),
    }


def _network(name: str, document: Mapping[str, Any] | None) -> dict[str, Any]:
    observed = live.observe(name, document).network
    allocation = allocations.find(name)
    if observed is None:
        mode = effective(document)["ip"]["mode"] if document else "none"
        return {"mode": mode, "addresses": [], "up": mode == "host"}
    interface = allocation.interface if allocation and observed.mode == "vnet" else None
    found = {
        "mode": observed.mode,
        "addresses": list(observed.addresses),
        "mtu": observed.mtu,
        "up": observed.up,
        "interface": interface,
    }
    if observed.mode != "shared" or not document:
        return found
    from .shadowing import described

    return {**found, "interface": document["ip"].get("interface"), "shadowed": described(document)}


def _privileges(name: str, _unused: Mapping[str, Any] | None) -> dict[str, Any]:
    """The ceiling of a running jail and the capability sets of its init, by name."""
    from .._kernel import capabilities, files
    from .privileges import Ceiling

    state = store.read_state(name)
    raw = files.read_json(places.ceiling(name)) if state and status.is_alive(state) else None
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


def _disk(name: str, _unused: Mapping[str, Any] | None) -> dict[str, Any]:
    from .rootfs import roots

    return roots.describe(name) or {}


def _document(_unused: str, document: Mapping[str, Any] | None) -> dict[str, Any]:
    return redacted(document or {})


_READERS = {
    "processes": _processes,
    "resources": _resources,
    "network": _network,
    "privileges": _privileges,
    "disk": _disk,
    "document": _document,
}
