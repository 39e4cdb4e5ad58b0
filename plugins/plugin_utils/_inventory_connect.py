# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible import constants as C

from ._inventory_hosts import JailHost
from ._inventory_query import Reach

JAILCTL = "/usr/local/sbin/jailctl"

# Both plugins speak SSH, and know the same variables for it.
_WAYS = {"local": "local", "ssh": "ssh", "paramiko_ssh": "ssh", "paramiko": "ssh"}
# Others cannot be done in one line that asks for nothing.
_BECOME_COMMANDS = {"doas": "doas -n"}


def can_carry(way: Reach) -> bool:
    """Whether the connection plugin of this collection can go where a host was asked."""
    return way.connection in _WAYS


def host_variables(host: JailHost, way: Reach, *, jailctl: str) -> dict[str, Any]:
    """The variables by which P(hosting.jails.jail) reaches the host of a jail, as that host was reached just now."""
    if not can_carry(way):
        return {}
    found = {"ansible_jail_host_connection": _WAYS[way.connection]}
    if jailctl != JAILCTL:
        found["ansible_jailctl_executable"] = jailctl
    if way.become in _BECOME_COMMANDS:
        found["ansible_jail_host_become_command"] = _BECOME_COMMANDS[way.become]
    if way.connection == "local":
        return {**found, "ansible_host": "localhost"}
    address = way.variables.get("ansible_host") or way.variables.get("ansible_ssh_host") or host.name
    return {**found, **_of_ssh(host, way), "ansible_host": address}


def _of_ssh(host: JailHost, way: Reach) -> dict[str, Any]:
    """Values that no other variable is needed for: the host's are not those of its jails. Secrets stay encrypted."""
    names = set(C.config.get_plugin_vars("connection", "ssh")) - {"inventory_hostname", "ansible_ssh_host"}
    found = {}
    for name in sorted(names & set(way.variables)):
        said, meant = host.variables.get(name), way.variables[name]
        found[name] = said if said == meant else meant
    return found


def jail_variables(found: Mapping[str, Any], of_host: Mapping[str, Any], *, connect: str) -> dict[str, Any]:
    """The ``ansible_`` variables by which plays reach a jail; ``connect`` is the option of that name."""
    if connect == "jail" and of_host:
        own = {"ansible_connection": "hosting.jails.jail", "ansible_jail_name": found["jail_name"]}
        return {**of_host, **own}
    return {"ansible_host": found["jail_ip"]} if connect == "ssh" and found["jail_ip"] else {}
