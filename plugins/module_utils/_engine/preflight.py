# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from .._model.actions import Action, Plan
from .._model.document import effective
from .._model.profiles import SECCOMP, has_user_namespace
from . import allocations, firewall, limits, network, status
from .errors import EngineError
from .host_facts import NOTHING_KNOWN, HostFacts


def refuse(planned: Plan) -> None:
    """EngineError for a plan that this host cannot carry out, before the first of its actions and in check mode.

    What can only be found out by doing it (a full disk, a broken program) is left to the actions.
    """
    for action in planned.actions:
        refuse_action(action)
    if any(action.kind == "jail.start" for action in planned.actions):
        refuse_start_by_nobody(planned.jail)


def refuse_start_by_nobody(jail: str = "") -> None:
    """EngineError where the supervisor is there and does not answer: a jail that is stopped now would not come back."""
    from .supervisor import connection

    try:
        connection.refuse_hung()
    except connection.Hung as error:
        raise error.of(jail) from None


def refuse_action(action: Action, facts: HostFacts = NOTHING_KNOWN) -> None:
    """The same for one of its actions."""
    check = _CHECKS.get(action.kind)
    if check:
        check(action, facts)


def _document(action: Action, _unused: HostFacts) -> None:
    document = effective(action.arguments["document"])
    caps = document["caps"]
    if caps["strict"] or caps["seccomp"] not in SECCOMP:
        from . import privileges, truth

        privileges.refuse_bad_profile(document)
        truth.refuse_weaker(document, report=truth.report_on(document))
    _refuse_missing_devices(document)
    _refuse_unsafe_root(document)
    allocations.refuse_unusable(action.jail, document)
    limits.refuse_without_controllers(status.group(action.jail), document["limits"], jail=action.jail)


def _devices(action: Action, _unused: HostFacts) -> None:
    _refuse_missing_devices(action.arguments["document"])


def _start(action: Action, _unused: HostFacts) -> None:
    _mounts(action.arguments["document"])
    _refuse_missing_devices(action.arguments["document"])


def _refuse_missing_devices(document: Mapping[str, Any]) -> None:
    if document["caps"]["devices"]:
        from . import devices

        devices.resolve(document)


def _refuse_unsafe_root(document: Mapping[str, Any]) -> None:
    if not has_user_namespace(document):
        from . import host_root

        host_root.refuse_unsafe(document)


def _rootfs(action: Action, _unused: HostFacts) -> None:
    from .rootfs import roots

    roots.refuse_unusable(action.jail, action.arguments["source"])


def _network(action: Action, facts: HostFacts) -> None:
    network.preflight(action.arguments["document"], taken=facts.taken, links=facts.links)


def _firewall(action: Action, facts: HostFacts) -> None:
    firewall.preflight(action.arguments["document"], facts)


def _mounts(document: Mapping[str, Any]) -> None:
    for number, mount in enumerate(document["mounts"]):
        source = mount.get("source", "")
        if source and not os.path.exists(source):
            raise EngineError(
                document["name"], f"{source!r} does not exist", path=f"mounts[{number}].source", remedy="make it first"
            )


_CHECKS: dict[str, Callable[[Action, HostFacts], None]] = {
    "document.write": _document,
    "rootfs.create": _rootfs,
    "rootfs.reset": _rootfs,
    "firewall.change": _firewall,
    "network.create": _network,
    "network.change": _network,
    "devices.change": _devices,
    "jail.start": _start,
}
