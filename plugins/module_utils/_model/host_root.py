# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Jails without a user namespace, as VServer and FreeVPS had them: what their root, who is the host's, may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import DocumentError
from .permissions import PERMISSIONS, spread
from .profiles import CAPABILITIES, canonical_capability

# What a task warns of, and the report says of the whole.
WARNING = (
    "root in it is the host's root, whom nothing but capabilities, the filter of system calls, mounts and namespaces"
    " holds; together with a user of the host, who hands him something that is open there, he is root of the host; and"
    " what the kernel counts by user (processes, inotify, pipes, quotas) counts together with the host's users"
)
WITHHELD = "without a user namespace it would count on the whole host"

# Worth nothing outside of what such a root sees. All others reach the host's kernel (capabilities(7)), processes of the
# engine in the jail (SYS_PTRACE), files past all mounts (DAC_READ_SEARCH), or the network of more than the jail.
KEPT = frozenset(
    """
    CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SETFCAP SYS_CHROOT IPC_LOCK IPC_OWNER
    """.split()
)
_SUBJECT = "a jail without a user namespace"
_OR_WITH_IDS = "or leave caps.user_namespace out"


def beyond(names: frozenset[str]) -> frozenset[str]:
    """Those capabilities and permissions of a profile that such a root may not have."""
    permissions = {name for name in names & PERMISSIONS.keys() if PERMISSIONS[name].capabilities - KEPT}
    return (names & CAPABILITIES) - KEPT | permissions


def refuse(caps: Mapping[str, Any], jail: str, *, profile: str, seccomp: str, administers: bool, network: str) -> None:
    """DocumentError for what would let such a root out of his jail, where a document asks for it by name."""
    if profile == "vps":
        message = f"{_SUBJECT} cannot have the profile vps, whose root mounts and makes namespaces"
        raise DocumentError(jail, "caps.profile", message, f"use another, {_OR_WITH_IDS}")
    if seccomp not in ("default", "strict"):
        message = f"{_SUBJECT} takes our filter: without, its root makes namespaces and has the host's keys"
        raise DocumentError(jail, "caps.seccomp", message, f"leave it out, say strict, {_OR_WITH_IDS}")
    if network == "host":
        message = f"{_SUBJECT} cannot be on the host's network, where services believe its root"
        raise DocumentError(jail, "ip.mode", message, f"use vnet, shared or none, {_OR_WITH_IDS}")
    if administers:
        message = f"{_SUBJECT} cannot administer its network: NET_ADMIN counts on the whole host"
        raise DocumentError(jail, "ip.admin", message, f"leave it out, {_OR_WITH_IDS}")
    for index, name in enumerate(caps.get("keep") or ()):
        capability = canonical_capability(name)
        if capability in CAPABILITIES - KEPT:
            message = f"{_SUBJECT} cannot keep {capability}: it would count on the whole host"
            raise DocumentError(jail, f"caps.keep[{index}]", message, f"take it out of the list, {_OR_WITH_IDS}")
    for name, given in spread(caps.get("allow") or {}).items():
        takes = PERMISSIONS[name].capabilities - KEPT
        if given and takes:
            message = f"{_SUBJECT} cannot have {', '.join(sorted(takes))}, which would count on the whole host"
            raise DocumentError(jail, f"caps.allow.{name}", message, f"leave it out, {_OR_WITH_IDS}")
