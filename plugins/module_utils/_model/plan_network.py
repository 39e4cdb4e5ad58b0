# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator

from .actions import Action
from .decisions import Decisions
from .live import NetworkLive
from .profiles import owns_network
from .shapes import LIVE
from .stacks import OWN, stack


def network_actions(decisions: Decisions) -> Iterator[Action]:
    """Make, repair, change or remove what a jail has of the network: its own (vnet, none), or addresses (shared).

    It is made when a document with an ``ip`` section is first written, so that a start needs nothing but to enter it.
    """
    live, mode = decisions.live.network, decisions.full["ip"]["mode"]
    if not (decisions.concerns("ip") or decisions.starts or _has_wrong_owner(decisions)):
        return
    if decisions.occupied and replaces_namespace(decisions):
        return  # a process cannot be moved to another network namespace: this waits for the restart
    if mode == "host":
        if live is not None:
            yield Action("network.remove", decisions.wanted.jail, LIVE, "ip", "mode host needs none")
    elif live is None:
        if "ip" in decisions.document or decisions.starts or decisions.occupied:
            yield _making("network.create", f"mode {mode}", decisions)
    else:
        drift = ", ".join(_drift(decisions, live))
        if drift:
            yield _making("network.change", drift, decisions)


def _making(kind: str, summary: str, decisions: Decisions) -> Action:
    arguments = {"document": decisions.full, "occupied": decisions.occupied}
    return Action(kind, decisions.wanted.jail, LIVE, "ip", summary, arguments)


def _drift(decisions: Decisions, live: NetworkLive) -> Iterator[str]:
    """What is not as the document says, and what it says anew that cannot be observed."""
    ip = decisions.full["ip"]
    if live.mode != ip["mode"]:
        yield f"mode {live.mode} -> {ip['mode']}"
    yield from (f"+{address}" for address in ip["addresses"] if address not in live.addresses)
    yield from (f"-{address}" for address in live.addresses if address not in ip["addresses"])
    if "mtu" in ip and live.mtu != ip["mtu"]:
        yield f"mtu {live.mtu} -> {ip['mtu']}"
    if _has_wrong_owner(decisions):
        yield "another owner"
    before = decisions.before["ip"] if decisions.before else ip
    yield from (f"other {name}" for name in _COMPARED if before.get(name) != ip.get(name))
    if ip["mode"] == "shared" and _is_another_order(before["addresses"], ip["addresses"]):
        yield "other order of addresses"
    if "mtu" in before and "mtu" not in ip:
        yield "mtu of the kernel"
    if not live.up:
        yield "incomplete"


# What is not looked at in the live state by itself, but only as whole or not.
_COMPARED = ("mac", "routes", "interface", "bandwidth", "bridge", "parent", "gateway")


def _is_another_order(before: list[str], after: list[str]) -> bool:
    """The first address of a family stands in for wildcard and loopback."""
    return before != after and sorted(before) == sorted(after)


def _has_wrong_owner(decisions: Decisions) -> bool:
    live = decisions.live.network
    owned = live.own_user_namespace if live else None
    return owned is not None and owned != owns_network(decisions.full)


def replaces_namespace(decisions: Decisions) -> bool:
    """Whether the jail gets another network namespace, which none of its processes can be moved to."""
    before, after = decisions.in_force, decisions.full
    if before == after:
        return False
    stacks = [stack(full) for full in (before, after)]
    return stacks[0] != stacks[1] or (stacks[0] == OWN and owns_network(before) != owns_network(after))
