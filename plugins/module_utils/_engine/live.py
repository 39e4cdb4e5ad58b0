# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._kernel.cgroup_limits import KNOBS
from .._model.document import effective
from .._model.live import Live
from .._model.stacks import in_force
from . import firewall_state, limits, network, status, store
from .host_facts import NOTHING_KNOWN, HostFacts
from .rootfs import directories, manifests


def observe(name: str, document: Mapping[str, Any] | None, facts: HostFacts = NOTHING_KNOWN) -> Live:
    """What is true of a jail now; ``document`` is the stored one. Reads only, a millisecond or two."""
    state = store.read_state(name)
    if document is None and state is None and not _has_remains(name, facts):
        return Live(
            network=network.observe(name, links=facts.links),
            rootfs=_source(name),
            firewall=firewall_state.observe(name, None, facts),
        )
    full = effective(document) if document else None
    run_state = status.run_state_of(name, state)
    started = store.read_started(name, full) if run_state in ("running", "frozen") else None
    return Live(
        state=run_state,
        started=started,
        limits=_limits(name, full),
        unenforced=_unenforced(),
        network=network.observe(name, full, links=facts.links),
        rootfs=_source(name),
        previous=_previous(name),
        firewall=firewall_state.observe(name, in_force(full, started) if full else None, facts),
        devices=_devices(name, full, run_state),
        restart_pending=status.awaits_restart(state),
        detail=state.message if state and run_state in ("failed", "stuck") else "",
    )


def _has_remains(name: str, facts: HostFacts) -> bool:
    """Whether a definition was cut short before its document was stored; its ids come before that."""
    return status.group(name).exists() or facts.find(name) is not None


def _source(name: str) -> Mapping[str, Any] | None:
    manifest = manifests.read_root(directories.manifest(name), name)
    return manifest.source if manifest else None


def _previous(name: str) -> Mapping[str, Any] | None:
    """One that cannot be read is none to go back to."""
    with store.passing_over(name):
        manifest = manifests.read_root(f"{directories.previous(name)}/rootfs.json", name)
        return manifest.source if manifest else None
    return None


def _limits(name: str, full: Mapping[str, Any] | None) -> dict[str, Any] | None:
    group = status.group(name)
    if not group.exists():
        return None
    return limits.observe_limits(group, full["limits"] if full else {})


def _devices(name: str, full: Mapping[str, Any] | None, run_state: str) -> bool | None:
    if full is None or run_state not in ("running", "frozen"):
        return None
    from . import devices

    return devices.observe(status.group(name), full)


def _unenforced() -> tuple[str, ...]:
    controllers = status.hierarchies().controllers
    missing = [limit for limit, knob in KNOBS.items() if knob.controller not in controllers]
    return (*missing, *(() if "blkio" in controllers else ("io",)))
