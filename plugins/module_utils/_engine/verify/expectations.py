# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What the policy of a jail says of an attack: whether it is to work. Pure, from the document and the truth report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ..._model.profiles import OWN_PROFILE, owns_network, privileges_of
from ..finding import Finding
from ..findings import UNAVAILABLE

DENIED, WORKS, EITHER, UNTRIED = "denied", "works", "either", "untried"

_OUR_FILTERS = ("default", "strict")
_STACK_OF_THE_HOST = ("host", "shared")


class Policy(NamedTuple):
    """What the root of a jail may do, as far as attacks ask.

    ``capabilities`` count here for whatever they are good for, ``permissions`` open their own calls alone, and
    ``refused`` are those that were taken away; what this kernel makes unavailable is in none. ``owns_network`` says
    that capabilities count there. ``seccomp`` is none where the kernel has no filters. ``holds`` are the promises of
    mode shared that this kernel keeps.
    """

    profile: str
    capabilities: frozenset[str]
    permissions: frozenset[str]
    refused: frozenset[str]
    seccomp: str
    securebits: frozenset[str]
    network: str
    owns_network: bool
    init: str
    rlimits: frozenset[str]
    holds: frozenset[str]
    user_namespace: bool = True

    @property
    def filtered(self) -> bool:
        """Whether it is our own filter that refuses system calls: we know what is in it."""
        return self.seccomp in _OUR_FILTERS

    @property
    def is_system(self) -> bool:
        """Whether its root has made the jail's mounts itself, and may go on."""
        return self.profile == "vps"

    @property
    def on_host_stack(self) -> bool:
        return self.network in _STACK_OF_THE_HOST


def policy_of(document: Mapping[str, Any], report: Iterable[Finding]) -> Policy:
    """The policy of an effective document on a host that has reported on it (truth.report_on)."""
    privileges = privileges_of(document)
    worthless = {finding.item for finding in report if finding.verdict == UNAVAILABLE}
    network = (document.get("ip") or {}).get("mode") or "none"
    rootless = "noroot" in privileges.securebits
    held = frozenset() if rootless else privileges.capabilities - privileges.confined
    return Policy(
        profile=privileges.profile,
        capabilities=frozenset(name for name in held if f"capability {name}" not in worthless),
        permissions=frozenset(name for name in privileges.allowed if f"allow {name}" not in worthless),
        refused=privileges.refused,
        seccomp="none" if "seccomp" in worthless else privileges.seccomp,
        securebits=frozenset(privileges.securebits),
        network=network,
        owns_network=network not in _STACK_OF_THE_HOST and (owns_network(document) or not privileges.user_namespace),
        init=str(document.get("init") or "auto"),
        rlimits=frozenset(document.get("rlimits") or {}),
        holds=frozenset({"addresses", "abstract sockets"} - worthless) if network == "shared" else frozenset(),
        user_namespace=privileges.user_namespace,
    )


class Expected(NamedTuple):
    """Whether an attack is to work: denied, works, either (nothing decides it), or untried; and why."""

    outcome: str
    why: str = ""


class Rule(NamedTuple):
    """When an attack works, in words for a page, and by a policy."""

    text: str
    decide: Callable[[Policy], Expected]


def _works_if(condition: bool, why: str) -> Expected:
    return Expected(WORKS if condition else DENIED, why)


never = Rule("never", lambda policy: Expected(DENIED, "no jail may"))
always = Rule("always", lambda policy: Expected(WORKS, "every jail may"))


def _by_our_filter(policy: Policy) -> Expected:
    if policy.filtered:
        return Expected(DENIED, "the filter of system calls refuses it")
    return Expected(EITHER, "without our filter the kernel decides")


unfiltered = Rule("as the kernel has it, without our filter", _by_our_filter)


def _by_our_filter_at_most(policy: Policy) -> Expected:
    if policy.filtered:
        return Expected(DENIED, "the filter of system calls refuses it")
    return Expected(UNTRIED, "without our filter the kernel would load modules for it")


loads_modules = Rule("never under our filter; not tried without", _by_our_filter_at_most)


def _by_any_family(policy: Policy) -> Expected:
    if "socket_af" in policy.permissions:
        return Expected(UNTRIED, "allowed by socket_af, and the kernel would load modules for it")
    return _by_our_filter_at_most(policy)


other_families = Rule("with `allow: [socket_af]`; not tried then, nor without our filter", _by_any_family)


def capability(*names: str) -> Rule:
    """Works with any of these capabilities."""

    def decide(policy: Policy) -> Expected:
        held = policy.capabilities.intersection(names)
        return _works_if(bool(held), ", ".join(sorted(held)) or f"without {' or '.join(names)}")

    return Rule(f"with {_words(names)}", decide)


def network_capability(*names: str) -> Rule:
    """Works with any of these capabilities in a network that the jail's user namespace owns."""

    def decide(policy: Policy) -> Expected:
        if not policy.owns_network:
            return Expected(DENIED, "the network belongs to the host")
        return capability(*names).decide(policy)

    return Rule(f"with {_words(names)} in a network of its own", decide)


def _by_ids(policy: Policy) -> Expected:
    return _works_if(not policy.user_namespace, "its own ids" if policy.user_namespace else "user_namespace: false")


shares_ids = Rule("with `user_namespace: false`", _by_ids)


def shared_ids(*names: str) -> Rule:
    """Works with any of these capabilities where the jail has the host's ids."""

    def decide(policy: Policy) -> Expected:
        return capability(*names).decide(policy) if not policy.user_namespace else _by_ids(policy)

    return Rule(f"with `user_namespace: false` and {_words(names)}", decide)


def _words(names: Iterable[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)


_MOUNTS = frozenset({"mount", "mount.nullfs", "mount.overlay", "mount.tmpfs"})


def _by_mounts(policy: Policy) -> Expected:
    if "SYS_ADMIN" in policy.capabilities:
        return Expected(WORKS, "SYS_ADMIN")
    given = policy.permissions & _MOUNTS
    return _works_if(bool(given), f"allow {', '.join(sorted(given))}" if given else "without SYS_ADMIN")


mounting = Rule("with `SYS_ADMIN` or `allow: [mount]`", _by_mounts)


def _by_own_formats(policy: Policy) -> Expected:
    mounts = _by_mounts(policy)
    return Expected(EITHER, "its own, where the kernel gives it") if mounts.outcome == WORKS else mounts


own_formats = Rule("with `SYS_ADMIN` or `allow: [mount]`, where the kernel has it", _by_own_formats)


def _by_own_mounts(policy: Policy) -> Expected:
    if not policy.is_system:
        return Expected(DENIED, "the jail's mounts were made by the host")
    if "SYS_ADMIN" not in policy.capabilities:
        return Expected(DENIED, "without SYS_ADMIN")
    return Expected(EITHER, "its own, where the kernel gives it")


own_mounts = Rule("with the profile `vps`, where the kernel has it", _by_own_mounts)


def _by_host_stack(policy: Policy) -> Expected:
    return _works_if(policy.on_host_stack, f"mode {policy.network}")


sees_host_stack = Rule("in the network modes `shared` and `host`", _by_host_stack)


def _by_host_mode(policy: Policy) -> Expected:
    if policy.network == "shared" and "addresses" not in policy.holds:
        return Expected(EITHER, "this kernel holds no jail to its addresses")
    return _works_if(policy.network == "host", f"mode {policy.network}")


is_on_host = Rule("in the network mode `host`", _by_host_mode)


def _by_scope(policy: Policy) -> Expected:
    if policy.network == "shared" and "abstract sockets" not in policy.holds:
        return Expected(WORKS, "this kernel has no scope for abstract sockets")
    return _works_if(policy.network == "host", f"mode {policy.network}")


abstract_sockets = Rule("in the network mode `host`, and before Linux 6.12 in `shared`", _by_scope)


def _by_renaming(policy: Policy) -> Expected:
    if "set_hostname" in policy.permissions:
        return Expected(WORKS, "allow set_hostname")
    return capability("SYS_ADMIN").decide(policy)


renaming = Rule("with `SYS_ADMIN` or `allow: [set_hostname]`", _by_renaming)


def _by_rebooting(policy: Policy) -> Expected:
    if not policy.is_system:
        return Expected(DENIED, "the jail's pid namespace belongs to the host")
    return capability("SYS_BOOT").decide(policy)


rebooting = Rule("with `SYS_BOOT` in the profile `vps`", _by_rebooting)


def _by_namespaces(policy: Policy) -> Expected:
    if not policy.filtered:
        return Expected(EITHER, "without our filter the kernel decides")
    nests = "SYS_ADMIN" in policy.capabilities
    return _works_if(nests, "SYS_ADMIN" if nests else "the filter of system calls refuses it")


namespaces = Rule("with `SYS_ADMIN`, and without our filter", _by_namespaces)


def withdrawn(permission: str, *, under_strict: bool = True) -> Rule:
    """Works unless a permission is taken away, or our strict filter stands in the way."""

    def decide(policy: Policy) -> Expected:
        if not policy.filtered:
            return Expected(EITHER, "without our filter the kernel decides")
        if permission in policy.refused:
            return Expected(DENIED, f"denied: {permission}")
        if policy.seccomp == "strict" and not under_strict:
            return Expected(DENIED, "the strict filter refuses it")
        return Expected(WORKS, "within the jail every jail may")

    text = f"unless `allow` denies `{permission}`"
    return Rule(text if under_strict else f"{text}, or under `seccomp: strict`", decide)


def gated(name: str) -> Rule:
    """Our filter opens it for a capability, and never under ``strict``."""

    def decide(policy: Policy) -> Expected:
        if not policy.filtered:
            return Expected(EITHER, "without our filter the kernel decides")
        if policy.seccomp == "strict":
            return Expected(DENIED, "the strict filter refuses it")
        return capability(name).decide(policy)

    return Rule(f"with `{name}`, not under `seccomp: strict`", decide)


def _by_stacking(policy: Policy) -> Expected:
    if policy.seccomp == OWN_PROFILE:
        return Expected(EITHER, "a filter of one's own decides")
    return Expected(WORKS, "every jail may")


stacking = Rule("always", _by_stacking)


def _by_low_ports(policy: Policy) -> Expected:
    if policy.network == "host":
        return Expected(EITHER, "as the host has it for everybody")
    if "reserved_ports" in policy.refused:
        return Expected(DENIED, "denied: reserved_ports")
    if policy.network == "shared" or policy.owns_network:
        if "addresses" not in policy.holds and policy.network == "shared":
            return Expected(EITHER, "this kernel holds no jail to its addresses")
        return capability("NET_BIND_SERVICE").decide(policy)
    return Expected(WORKS, "in a network of its own that the host owns everybody may")


low_ports = Rule("with `NET_BIND_SERVICE`; without it too in a `vnet` that the host owns", _by_low_ports)


def _by_addresses(policy: Policy) -> Expected:
    if policy.network == "none":
        return Expected(UNTRIED, "the jail has no address")
    return Expected(WORKS, "its own")


own_address = Rule("always, where it has an address", _by_addresses)


def _by_freedom(policy: Policy) -> Expected:
    if policy.network == "shared" and "addresses" in policy.holds:
        return Expected(DENIED, "held to its addresses")
    return Expected(EITHER, "nothing leaves from there")


freely = Rule("never in the network mode `shared`; elsewhere nothing leaves from there", _by_freedom)


def _by_init(policy: Policy) -> Expected:
    if policy.init != "auto":
        return Expected(UNTRIED, "pid 1 is a program of the jail's own")
    return Expected(DENIED, "the init that the host lends holds nothing")


lent_init = Rule("never, where pid 1 is the init that the host lends", _by_init)


def limit(name: str) -> Rule:
    """Never, unless the document gives the jail this limit."""

    def decide(policy: Policy) -> Expected:
        if name in policy.rlimits:
            return Expected(EITHER, f"as far as rlimits.{name} goes")
        return Expected(DENIED, "takes power over the host")

    return Rule(f"never, unless `rlimits` has `{name}`", decide)


def _by_own_sysctls(policy: Policy) -> Expected:
    if not (policy.is_system and policy.owns_network):
        return Expected(DENIED, "the jail's /proc/sys is read-only")
    return capability("NET_ADMIN").decide(policy)


own_sysctls = Rule("with the profile `vps`, in a network of its own", _by_own_sysctls)
