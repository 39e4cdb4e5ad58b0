# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that does exactly what a plan says, and nothing else: what the executor must be equal to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from ansible_collections.hosting.jails.plugins.module_utils._model.actions import Action, Plan
from ansible_collections.hosting.jails.plugins.module_utils._model.live import Live, NetworkLive
from ansible_collections.hosting.jails.plugins.module_utils._model.profiles import owns_network


class Host(NamedTuple):
    stored: dict[str, Any] | None
    live: Live


def carry_out(plan: Plan, host: Host, *, killed_after: int | None = None) -> Host:
    """The host after a plan, or after its first few actions."""
    for action in plan.actions[:killed_after]:
        host = _carry_out(action, host)
    return host


def _carry_out(action: Action, host: Host) -> Host:
    stored, live = host
    arguments = action.arguments
    if action.kind == "document.write":
        return Host(arguments["document"], replace(live, state="stopped" if live.state == "absent" else live.state))
    if action.kind == "document.remove":
        return Host(None, Live())
    changes: dict[str, dict[str, Any]] = {
        "rootfs.create": {"rootfs": arguments.get("source")},
        "rootfs.reset": {"rootfs": arguments.get("source"), "previous": live.rootfs if arguments.get("keep") else None},
        "rootfs.restore": {"rootfs": arguments.get("source"), "previous": None},
        "rootfs.forget": {"previous": None},
        "rootfs.remove": {"rootfs": None, "previous": None},
        "network.remove": {"network": None},
        "firewall.change": {"firewall": ()},
        "firewall.remove": {"firewall": ()},
        "limits.set": {"limits": arguments.get("limits")},
        "jail.freeze": {"state": "frozen"},
        "jail.thaw": {"state": "running"},
        "option.defer": {},
    }
    if action.kind in changes:
        return Host(stored, replace(live, **changes[action.kind]))
    if action.kind == "devices.change":
        full = arguments["document"]
        started = {**live.started, "caps": {**live.started["caps"], "devices": full["caps"]["devices"]}}
        return Host(stored, replace(live, devices=True, started=started))
    if action.kind in ("network.create", "network.change"):
        return Host(stored, replace(live, network=_network(arguments["document"])))
    if action.kind == "jail.stop":
        assert live.state != "frozen", "a frozen jail cannot hear its stop signal"
        pending = bool(arguments["restart"])
        return Host(stored, replace(live, state="stopped", started=None, limits=None, restart_pending=pending))
    assert action.kind == "jail.start"
    full = arguments["document"]
    running = {"state": "running", "started": full, "limits": full["limits"], "devices": True}
    return Host(stored, replace(live, **running, restart_pending=False))


def _network(full: dict[str, Any]) -> NetworkLive:
    ip = full["ip"]
    return NetworkLive(
        mode=ip["mode"],
        addresses=tuple(ip["addresses"]),
        mtu=None if ip["mode"] == "shared" else ip.get("mtu", 1500),
        own_user_namespace=None if ip["mode"] == "shared" else owns_network(full),
    )
