# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .._model.profiles import LIMITED, Privileges

ENFORCED = "enforced"
PARTIAL = "partial"
UNAVAILABLE = "unavailable"

_NETWORK = frozenset({"NET_ADMIN", "NET_BROADCAST", "NET_RAW"})


class Finding(NamedTuple):
    """What becomes of one thing that was asked for; ``why`` is empty when there is nothing to add."""

    item: str
    verdict: str
    why: str = ""


def examine(privileges: Privileges, *, network: str, has_filters: bool) -> tuple[Finding, ...]:
    """The truth about privileges on a kernel: nothing is ever weaker than asked without a word.

    ``network`` is the mode of the jail's network, ``has_filters`` whether the kernel filters system calls.
    """
    return tuple(_examine(privileges, network=network, has_filters=has_filters))


def _examine(privileges: Privileges, *, network: str, has_filters: bool) -> Iterator[Finding]:
    filtered = has_filters and privileges.seccomp != "none"
    if filtered or "SYS_ADMIN" in privileges.capabilities:
        yield Finding("capabilities", ENFORCED)
    else:
        # The bounding set of a new user namespace is full, whatever that of its maker is (user_namespaces(7)).
        why = "without a filter a process may make a user namespace of its own and hold every capability in that"
        yield Finding("capabilities", PARTIAL, why)
    for name in sorted(privileges.capabilities & set(LIMITED)):
        yield Finding(f"capability {name}", PARTIAL, LIMITED[name])
    yield from _examine_network(privileges, network=network)
    if privileges.no_new_privileges:
        yield Finding("no_new_privileges", ENFORCED)
    if filtered:
        yield Finding("seccomp", ENFORCED, "32-bit and x32 system calls fail with ENOSYS")
    elif not has_filters and privileges.seccomp != "none":
        yield Finding("seccomp", UNAVAILABLE, "this kernel has no CONFIG_SECCOMP_FILTER")


def _examine_network(privileges: Privileges, *, network: str) -> Iterator[Finding]:
    """Network capabilities count in the user namespace that owns the network (network_namespaces(7))."""
    if network != "host" and privileges.profile == "vps":
        return
    why = "the jail's network belongs to the host's user namespace"
    if network != "host":
        why += "; the profile vps gives the jail one of its own"
    for name in sorted(privileges.capabilities & _NETWORK):
        yield Finding(f"capability {name}", UNAVAILABLE, why)
    low_ports = "NET_BIND_SERVICE" in privileges.capabilities
    if network == "host" and low_ports:
        yield Finding("capability NET_BIND_SERVICE", UNAVAILABLE, why)
    if network != "host" and not low_ports:
        yield Finding(
            "capability NET_BIND_SERVICE", PARTIAL, "in the jail's own network ports below 1024 need no capability"
        )
