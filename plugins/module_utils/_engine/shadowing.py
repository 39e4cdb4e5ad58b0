# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Services of the host that listen on every address: they have the ports of jails on the host's stack as well.

As on FreeBSD, such a port leads to the host's service and not into the jail, and a service of the jail cannot be bound
to it. Only the operator can change that, by giving the host's service addresses of the host's own.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .._kernel import inet_sockets, process_table
from .._kernel.errors import KernelError
from .._model.actions import Plan
from . import places

_CONCERNED = ("jail.start", "network.create", "network.change")
_MOST_NAMED = 12


class Shadow(NamedTuple):
    """A port of a jail that the host has, and the program that has it (empty for the kernel's own)."""

    protocol: str
    port: int
    program: str

    def __str__(self) -> str:
        return f"{self.port}/{self.protocol}" + (f" ({self.program})" if self.program else "")


def warnings(plans: Iterable[Plan]) -> list[str]:
    """What to tell whoever has just started or changed jails on the host's stack: one line for all of them."""
    documents = [plan.after for plan in plans if plan.after and _is_concerned(plan)]
    found = shadows(address for document in documents for address in document["ip"]["addresses"])
    if not found:
        return []
    named = ", ".join(map(str, found[:_MOST_NAMED])) + (" and more" if len(found) > _MOST_NAMED else "")
    return [
        f"services of the host listen on every address, so these ports lead to them and not into jails with ip.mode:"
        f" shared: {named}; have them listen on the host's own addresses"
    ]


def _is_concerned(plan: Plan) -> bool:
    shares = (plan.after or {}).get("ip", {}).get("mode") == "shared"
    return shares and any(action.kind in _CONCERNED for action in plan.actions)


def shadows(addresses: Iterable[str]) -> list[Shadow]:
    """The ports that jails with such addresses do not have, the lowest first."""
    families = {socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses}
    if not families:
        return []
    try:
        waiting = inet_sockets.listeners()
    except KernelError:  # a kernel without sock_diag(7)
        return []
    listeners = [one for one in waiting if not one.address and families.intersection(one.families)]
    programs = _programs({one.inode for one in listeners if one.inode})
    found = {
        Shadow(one.protocol, one.port, programs.get(one.inode, ""))
        for one in listeners
        if programs.get(one.inode) is not None or not one.inode
    }
    return sorted(found, key=lambda shadow: (shadow.port, shadow.protocol, shadow.program))


def _programs(inodes: set[int]) -> dict[int, str]:
    """Names and pids of the host's processes that have sockets; those of jails have none on every address."""
    found: dict[int, str] = {}
    for inode, owners in inet_sockets.owners(inodes).items():
        for pid, name in owners:
            if f"/{places.CGROUP}/" not in f"{process_table.group_of(pid)}/":
                found.setdefault(inode, f"{name}, pid {pid}")
    return found


def described(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same for one jail, as jail_info returns it."""
    return [shadow._asdict() for shadow in shadows(document["ip"]["addresses"])]
