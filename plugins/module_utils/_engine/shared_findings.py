# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator

from .._kernel import cgroup_bpf, landlock, socket_ends
from .._kernel.errors import KernelError
from .._model.profiles import OWN_PROFILE, Privileges
from .finding import Finding
from .findings import ENFORCED, PARTIAL, UNAVAILABLE

_FAMILIES = "which sockets there are besides UNIX, IPv4 and IPv6, and those are held to no address"


def examine_sharing(privileges: Privileges, *, filtered: bool) -> Iterator[Finding]:
    """The truth about a jail on the host's network stack (mode shared), on this kernel."""
    yield Finding("addresses", *_worth_of_addresses(privileges, filtered=filtered))
    if not socket_ends.is_available():
        why = "without CONFIG_INET_DIAG_DESTROY connections of an address that goes hear nothing more, and time out"
        yield Finding("removed addresses", PARTIAL, why)
    if landlock.has_scopes():
        why = "commands that enter the jail later have a scope of their own, and trace no process of its init"
        yield Finding("abstract sockets", ENFORCED, why)
    else:
        why = "before Linux 6.12, or without Landlock, those of the host can be connected to"
        yield Finding("abstract sockets", UNAVAILABLE, why)


def _worth_of_addresses(privileges: Privileges, *, filtered: bool) -> tuple[str, str]:
    try:
        able = cgroup_bpf.abilities()
    except KernelError as error:
        return UNAVAILABLE, f"this kernel takes no programs on control groups ({error})"
    if not filtered:
        return PARTIAL, f"without a filter of system calls nothing limits {_FAMILIES}"
    if privileges.seccomp == OWN_PROFILE:
        return PARTIAL, f"a profile of one's own decides {_FAMILIES}"
    if "socket_af" in privileges.allowed:
        return PARTIAL, f"allow socket_af opens {_FAMILIES}"
    if not able.low_ports and "NET_BIND_SERVICE" in privileges.capabilities:
        return PARTIAL, "before Linux 5.12 ports below 1024 cannot be bound"
    if not able.names_errors:
        return PARTIAL, "before Linux 5.18 a refused address fails with EPERM instead of EADDRNOTAVAIL"
    return ENFORCED, ""
