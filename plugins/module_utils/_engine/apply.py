# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .._kernel import namespaces, pidfd
from .._kernel.errors import KernelError
from .._model.actions import Action, Plan
from .._model.document import effective
from . import allocations, firewall, limits, network, pins, places, status, store
from . import stop as stopping
from .errors import DamagedRecord, EngineError
from .host_facts import NOTHING_KNOWN, HostFacts
from .rootfs import roots
from .store import RuntimeState
from .supervisor import client, log

# What is wrong with a command or its configuration shows in this time; more would make every start slower.
_TRIAL_SECONDS = 0.1
_SETTLE_SECONDS = 2.0
_SETTLE_POLL_SECONDS = 0.005


def apply(plan: Plan) -> None:
    """Carry out a plan, action by action, in its order. Callers hold the jail's lock.

    Each action is complete by itself or is completed by the same action when the plan is made again, so that a run
    that was killed at any moment is finished by the next one. EngineError or KernelError of the first that fails.
    """
    carry_out(plan.actions)


def carry_out(actions: Iterable[Action], facts: HostFacts = NOTHING_KNOWN) -> None:
    """Carry out some actions of a plan: see apply(). ``facts`` spares each of them a look at the host."""
    for action in actions:
        _EXECUTORS[action.kind](action, facts)


def _write_document(action: Action, facts: HostFacts) -> None:
    """Addresses are claimed by the document that names them, so that two tasks at once cannot both have one."""
    document = action.arguments["document"]
    store.prepare_directories()
    facts.claim(action.jail, document)
    with store.documents_lock():
        if document.get("ip") != (store.read_document(action.jail) or {}).get("ip"):
            network.preflight(effective(document))
            firewall.preflight(effective(document))
        store.write_document(action.jail, document)


def _remove_document(action: Action, _unused: HostFacts) -> None:
    """The document last: what is left until then belongs to a jail that the next run still knows of."""
    name = action.jail
    status.clear_remains(name)
    # A root whose making or removal was cut short is none yet, or none any more, for the planner.
    roots.remove(name)
    namespaces.unpin(places.namespace(name, "user"))
    allocations.release(name)
    with firewall.untouched(name):
        store.remove_runtime(name)
        log.remove(places.log(name))
        store.remove_document(name)


def _create_rootfs(action: Action, facts: HostFacts) -> None:
    roots.prepare(action.jail, action.arguments["source"], uid_base=facts.claim(action.jail).uid_base)


def _reset_rootfs(action: Action, facts: HostFacts) -> None:
    uid_base = facts.claim(action.jail).uid_base
    roots.reset(action.jail, action.arguments["source"], uid_base=uid_base, keep=action.arguments["keep"])


def _restore_rootfs(action: Action, _unused: HostFacts) -> None:
    roots.bring_back(action.jail)


def _forget_rootfs(action: Action, _unused: HostFacts) -> None:
    roots.forget_previous(action.jail)


def _remove_rootfs(action: Action, _unused: HostFacts) -> None:
    roots.remove(action.jail)


def _ensure_firewall(action: Action, facts: HostFacts) -> None:
    firewall.ensure(action.arguments["document"], facts.claim(action.jail))


def _remove_firewall(action: Action, _unused: HostFacts) -> None:
    firewall.remove(action.jail)


def _ensure_network(action: Action, facts: HostFacts) -> None:
    allocation = facts.claim(action.jail)
    if action.arguments["occupied"]:
        pins.restore(action.jail)
    allocations.ensure_user_namespace(allocation)
    network.ensure(action.arguments["document"], allocation.number, taken=facts.taken)


def _remove_network(action: Action, facts: HostFacts) -> None:
    allocation = facts.find(action.jail)
    network.remove(action.jail, allocation.number if allocation else None, shares=_shares_stack(action.jail))


def _shares_stack(jail: str) -> bool:
    """Whether the document says mode shared, or may have said so: one that is damaged says nothing."""
    try:
        return bool((store.read_document(jail) or {}).get("ip", {}).get("mode") == "shared")
    except DamagedRecord:
        return True


def _set_limits(action: Action, _unused: HostFacts) -> None:
    limits.set_limits(status.group(action.jail), action.arguments["limits"], jail=action.jail)


def _change_devices(action: Action, _unused: HostFacts) -> None:
    from . import device_changes

    device_changes.change(action.arguments["document"])


def _start(action: Action, _unused: HostFacts) -> None:
    client.start(action.jail, dict(action.arguments["document"]))


def _stop(action: Action, _unused: HostFacts) -> None:
    document: Mapping[str, Any] = action.arguments.get("document") or {}
    stopping.stop(action.jail, document or None, restart=bool(action.arguments.get("restart")))


def _freeze(action: Action, _unused: HostFacts) -> None:
    status.group(action.jail).freeze(True)


def _thaw(action: Action, _unused: HostFacts) -> None:
    status.group(action.jail).freeze(False)


def _defer(action: Action, _unused: HostFacts) -> None:
    """Nothing is done: the change waits in the document for the next start."""


_EXECUTORS: dict[str, Callable[[Action, HostFacts], None]] = {
    "document.write": _write_document,
    "document.remove": _remove_document,
    "rootfs.create": _create_rootfs,
    "rootfs.reset": _reset_rootfs,
    "rootfs.restore": _restore_rootfs,
    "rootfs.forget": _forget_rootfs,
    "rootfs.remove": _remove_rootfs,
    "firewall.change": _ensure_firewall,
    "firewall.remove": _remove_firewall,
    "network.create": _ensure_network,
    "network.change": _ensure_network,
    "network.remove": _remove_network,
    "limits.set": _set_limits,
    "devices.change": _change_devices,
    "jail.start": _start,
    "jail.stop": _stop,
    "jail.freeze": _freeze,
    "jail.thaw": _thaw,
    "option.defer": _defer,
}


def verify(plan: Plan) -> None:
    """See that a jail stays if it was started: see ``verify_start``."""
    if plan.state_after in ("running", "frozen") and any(action.kind == "jail.start" for action in plan.actions):
        verify_start(plan.jail)


def verify_start(jail: str) -> None:
    """See that a started jail stays: a command that fails at once is an error of the task, not of a log.

    Callers have let go of the jail's lock, which the supervisor needs to record how a jail has ended.
    """
    started = store.read_state(jail)
    if started is None or _stays(started):
        return
    ended = _settled(jail, started.instance)
    if ended is not None and ended.phase == "failed":
        raise EngineError(
            jail,
            f"was started and ended at once: {ended.message}",
            path="command",
            remedy=_remedy(ended, jail),
        )


def stays(jail: str) -> bool:
    """The same for callers who hold the jail's lock, so that nobody has recorded how it has ended."""
    started = store.read_state(jail)
    return started is None or _stays(started)


def _remedy(ended: RuntimeState, jail: str) -> str:
    look = f"read what it said: jailctl logs {jail}"
    if ended.exit_status == -signal.SIGKILL:
        return f"is limits.memory too small for it? {look}"
    return look


def _stays(state: RuntimeState) -> bool:
    """Whether an init lives through its first moments."""
    try:
        fd = pidfd.open_pidfd(state.pid)
    except KernelError:
        return False
    try:
        return status.is_alive(state) and not pidfd.wait(fd, _rest_of_trial(state))
    finally:
        os.close(fd)


def _rest_of_trial(state: RuntimeState) -> float:
    """Seconds; the whole trial where the clock was set back."""
    return min(_TRIAL_SECONDS, max(0.0, state.started_at + _TRIAL_SECONDS - time.time()))


def _settled(name: str, instance: str) -> RuntimeState | None:
    """How that life of a jail has ended, as soon as the supervisor has recorded it; None when another has begun."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        state = store.read_state(name)
        if state is None or state.instance != instance:
            return None
        if state.phase != "running" or time.monotonic() > deadline:
            return state._replace(phase="failed") if state.phase == "running" else state
        time.sleep(_SETTLE_POLL_SECONDS)
