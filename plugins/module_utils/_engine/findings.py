# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .._model.permissions import PERMISSIONS, denial_of
from .._model.profiles import LIMITED, NETWORK_CAPABILITIES, OF_SYSTEM_JAILS, OWN_PROFILE, UNCONFINED, Privileges
from .finding import Finding

ENFORCED = "enforced"
PARTIAL = "partial"
UNAVAILABLE = "unavailable"

_HOST_STACK = ("host", "shared")
_NOT_OWNED = "the jail's network belongs to the host's user namespace"
_ECHO_ONLY = (
    "echo requests (ping -I with an address of the jail) where the host's ping_group_range lets its users send them,"
    " but no raw sockets"
)


class Host(NamedTuple):
    """What the truth depends on besides the document: the mode of the jail's network, and what the host can do."""

    network: str
    has_filters: bool
    raises_limits: bool = True
    first_open_port: int = 1024


def examine(privileges: Privileges, host: Host) -> tuple[Finding, ...]:
    """The truth about privileges on a kernel: nothing is ever weaker than asked without a word."""
    return tuple(_examine(privileges, host))


def _examine(privileges: Privileges, host: Host) -> Iterator[Finding]:
    network, has_filters = host.network, host.has_filters
    filtered = has_filters and privileges.seccomp not in ("none", OWN_PROFILE)
    if filtered or "SYS_ADMIN" in privileges.capabilities - privileges.confined:
        yield Finding("capabilities", ENFORCED)
    else:
        # The bounding set of a new user namespace is full, whatever that of its maker is (user_namespaces(7)).
        why = "unless a filter forbids it, a process may make a user namespace and hold every capability in that"
        yield Finding("capabilities", PARTIAL, why)
    if privileges.user_namespace:
        yield from _examine_limited(privileges, network=network)
    yield from _examine_network(privileges, network=network)
    yield from _examine_permissions(privileges, host, filtered=filtered)
    for name in privileges.securebits:
        yield Finding(f"securebit {name}", ENFORCED, "set and locked")
    if privileges.no_new_privileges:
        yield Finding("no_new_privileges", ENFORCED)
    if has_filters and privileges.seccomp != "none":
        yield Finding("seccomp", ENFORCED, "32-bit and x32 system calls fail with ENOSYS")
    elif not has_filters and privileges.seccomp != "none":
        yield Finding("seccomp", UNAVAILABLE, "this kernel has no CONFIG_SECCOMP_FILTER")


def _examine_limited(privileges: Privileges, *, network: str) -> Iterator[Finding]:
    """Capabilities that do less than their names promise; one that is confined to a permission is told of with that."""
    of_host = NETWORK_CAPABILITIES if network in _HOST_STACK else frozenset()
    for name in sorted(privileges.capabilities - privileges.confined - of_host):
        if name in OF_SYSTEM_JAILS and privileges.profile != "vps":
            yield Finding(f"capability {name}", UNAVAILABLE, OF_SYSTEM_JAILS[name])
        elif name in LIMITED:
            yield Finding(f"capability {name}", PARTIAL, LIMITED[name])


def _examine_network(privileges: Privileges, *, network: str) -> Iterator[Finding]:
    """Network capabilities count in the user namespace that owns the network (network_namespaces(7)).

    That of a jail whose privileges have use for it is its own; see profiles.owns_network().
    """
    low_ports = "NET_BIND_SERVICE" in privileges.capabilities
    if network in _HOST_STACK:
        for name in sorted(privileges.capabilities & NETWORK_CAPABILITIES):
            yield Finding(f"capability {name}", UNAVAILABLE, _NOT_OWNED)
        if low_ports and network == "host":
            yield Finding("capability NET_BIND_SERVICE", UNAVAILABLE, _NOT_OWNED)
        return
    counts = privileges.profile == "vps" or not privileges.user_namespace
    owned = counts or privileges.capabilities & NETWORK_CAPABILITIES
    if not low_ports and not owned and "reserved_ports" not in privileges.refused:
        why = "in the jail's own network ports below 1024 need no capability; allow noreserved_ports refuses them"
        yield Finding("capability NET_BIND_SERVICE", PARTIAL, why)


def _examine_permissions(privileges: Privileges, host: Host, *, filtered: bool) -> Iterator[Finding]:
    if privileges.user_namespace:
        for name in sorted(privileges.withheld):
            yield Finding(f"allow {name}", UNAVAILABLE, UNCONFINED)
    for name in sorted(privileges.allowed | privileges.refused):
        verdict, why = _worth_of(name, privileges, host, filtered=filtered)
        yield Finding(f"allow {name if name in privileges.allowed else denial_of(name)}", verdict, why)


def _worth_of(name: str, privileges: Privileges, host: Host, *, filtered: bool) -> tuple[str, str]:
    permission = PERMISSIONS[name]
    mounts = "SYS_ADMIN" in privileges.capabilities - privileges.confined
    if name in privileges.refused:
        if mounts and name in _OF_WHO_MOUNTS:
            return UNAVAILABLE, "a filter cannot tell file systems apart, and the jail may mount"
        if not filtered and name.startswith(_TAKEN_BY_FILTER):
            return UNAVAILABLE, "only our filter of system calls takes it away, and this jail has another or none"
        if name == "reserved_ports" and host.network == "host" and host.first_open_port < 1024:
            return PARTIAL, f"this host leaves ports from {host.first_open_port} on to everybody"
        return ENFORCED, permission.kept
    if mounts and name in ("nested_jails", *_OF_WHO_MOUNTS):
        return ENFORCED, ""
    if permission.unavailable:
        return UNAVAILABLE, permission.unavailable
    if not filtered and permission.capabilities & privileges.confined:
        return UNAVAILABLE, UNCONFINED
    if name == "mlock" and not host.raises_limits:
        return PARTIAL, "up to the limit of locked memory of the host's engine, which may not raise it"
    if name == "raw_sockets" and host.network == "shared":
        return PARTIAL, _ECHO_ONLY
    of_network = NETWORK_CAPABILITIES | ({"NET_BIND_SERVICE"} if host.network == "host" else set())
    if host.network in _HOST_STACK and permission.capabilities & of_network:
        return UNAVAILABLE, _NOT_OWNED
    return (PARTIAL, permission.partial) if permission.partial else (ENFORCED, "")


# What a jail with all of SYS_ADMIN can do by that alone.
_OF_WHO_MOUNTS = ("mount.linprocfs", "mount.procfs")
# Without a filter there is nothing that would take these away.
_TAKEN_BY_FILTER = ("sysv", "mlock", "nested_jails", "unprivileged_proc_debug", "socket_af")
