# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .._model.allocation import Allocation
from .._model.document import effective, redacted
from .._model.stacks import in_force
from . import allocations, places, status, store
from .errors import DamagedRecord
from .host_facts import HostFacts
from .store import RuntimeState

# For jailctl stat, what of the network counts, without a look at the rest of it.
TRAFFIC = "traffic"


class Seen(NamedTuple):
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
    """Everything that is asked for of a jail; ``gather`` as in arguments.GATHER. Reads only.

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
    known: Mapping[str, Allocation] = {}
    with store.passing_over(""):
        known = allocations.find_all()
    if "network" not in gather or len(names) < 2:
        yield HostFacts(allocations=known)
        return
    from .._kernel.link_snapshot import Snapshot

    with Snapshot() as links:
        yield HostFacts(links=links, allocations=known)


def _look(name: str, facts: HostFacts) -> Seen:
    document, damage = _read_document(name)
    full = effective(document) if document else {}
    state = store.read_state(name)
    run_state = status.run_state_of(name, state)
    started = store.read_started(name, full) if state and run_state in ("running", "frozen") else None
    return Seen(name, document or {}, damage, full, started or {}, state, run_state, facts)


def _read_document(name: str) -> tuple[dict[str, Any] | None, str]:
    try:
        return store.read_document(name), ""
    except DamagedRecord as error:
        store.pass_over(name, error)
        return None, str(error)


def _row(seen: Seen, gather: Sequence[str]) -> dict[str, Any]:
    found = _status_row(seen)
    if "document" in gather:
        found["document"] = redacted(seen.document)
    if set(gather) - {"status", "document", "templates"}:
        from .report_parts import READERS

        for subset, reader in READERS.items():
            if subset in gather:
                try:
                    found[subset] = reader(seen)
                except DamagedRecord as error:
                    store.pass_over(seen.name, error)
                    found[subset] = {"message": str(error)}
    return found


def _status_row(seen: Seen) -> dict[str, Any]:
    """One row of jls(8): who a jail is, whether it runs, since when, and where it can be reached.

    ``uptime`` is in seconds, None when it does not run.
    """
    state, running = seen.state, seen.run_state in ("running", "frozen") and seen.state is not None
    allocation = seen.facts.find(seen.name)
    failure = state.message if state and seen.run_state in ("failed", "stuck") else ""
    return {
        "name": seen.name,
        "state": seen.run_state,
        "id": allocation.number if allocation else None,
        "uid_base": allocation.uid_base if allocation else None,
        "pid": state.pid if running and state else None,
        "uptime": int(max(0.0, time.time() - state.started_at)) if running and state else None,
        **_told(seen),
        "autostart": bool(seen.document.get("autostart", False)),
        "restarts": state.restarts if state else 0,
        "exit_status": state.exit_status if state and not running else None,
        "message": seen.damage or failure,
        "ended": _ended(seen.name),
    }


def _ended(name: str) -> dict[str, Any] | None:
    """How a jail ended last; most have not."""
    if not os.path.exists(places.ending(name)):
        return None
    from . import endings

    return endings.read(name)


def _told(seen: Seen) -> dict[str, Any]:
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


def _labels(seen: Seen) -> dict[str, str]:
    return dict((seen.full or seen.started).get("labels", {}))
