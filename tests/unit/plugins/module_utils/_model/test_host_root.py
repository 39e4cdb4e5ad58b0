# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.host_root import KEPT
from ansible_collections.hosting.jails.plugins.module_utils._model.permissions import PERMISSIONS
from ansible_collections.hosting.jails.plugins.module_utils._model.profiles import (
    CAPABILITIES,
    PROFILES,
    Privileges,
    owns_network,
    resolve_privileges,
)

# What reaches the host's kernel or other processes: never, by whatever way.
DANGEROUS = frozenset(
    """
    SYS_ADMIN SYS_MODULE SYS_RAWIO SYS_PTRACE DAC_READ_SEARCH SYS_BOOT SYS_TIME NET_ADMIN NET_RAW NET_BROADCAST
    MAC_ADMIN MAC_OVERRIDE BPF PERFMON SYSLOG SYS_RESOURCE SYS_NICE CHECKPOINT_RESTORE MKNOD LINUX_IMMUTABLE
    """.split()
)


def resolve(*, administers: bool = False, system: bool = False, network: str = "vnet", **caps: Any) -> Privileges:
    caps = {"user_namespace": False, **caps}
    return resolve_privileges(caps, jail="web1", system=system, administers=administers, network=network)


def test_it_is_known_what_each_capability_is() -> None:
    assert KEPT < CAPABILITIES
    assert not KEPT & DANGEROUS
    assert DANGEROUS < CAPABILITIES


@pytest.mark.parametrize("profile", [profile for profile in PROFILES if profile != "vps"])
def test_a_profile_comes_without_what_would_count_on_the_host(profile: str) -> None:
    usual = resolve_privileges({"profile": profile}, jail="web1", system=False)
    found = resolve(profile=profile)
    assert found.capabilities <= KEPT
    assert found.capabilities == (usual.capabilities - usual.confined) & KEPT
    assert not found.confined
    assert not found.user_namespace
    lost = (usual.capabilities - usual.confined - KEPT) | (usual.allowed - found.allowed)
    assert found.withheld == lost
    assert found.refused == usual.refused


@pytest.mark.parametrize("capability", sorted(CAPABILITIES))
def test_only_what_is_worth_nothing_elsewhere_is_kept_by_its_name(capability: str) -> None:
    if capability in KEPT:
        assert capability in resolve(profile="none", keep=[capability.lower()]).capabilities
        return
    with pytest.raises(DocumentError, match=r"jail web1: caps.keep\[1\]: .*; take it out of the list"):
        resolve(keep=["CHOWN", f"cap_{capability.lower()}"])


@pytest.mark.parametrize("permission", sorted(PERMISSIONS))
def test_a_permission_brings_nothing_beyond(permission: str) -> None:
    try:
        found = resolve(allow={permission: True})
    except DocumentError as error:
        assert error.path == f"caps.allow.{permission}"
        assert PERMISSIONS[permission].capabilities - KEPT
    else:
        assert found.capabilities <= KEPT
        assert not found.confined


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"profile": "vps"}, "caps.profile: a jail without a user namespace cannot have the profile vps"),
        ({"system": True}, "caps.profile: "),
        ({"seccomp": "none"}, "caps.seccomp: a jail without a user namespace takes our filter"),
        ({"seccomp": "/etc/own.json"}, "caps.seccomp: "),
        ({"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}, "caps.seccomp: "),
        ({"administers": True}, "ip.admin: "),
        ({"network": "host"}, "ip.mode: "),
        ({"allow": {"mount": True}}, "caps.allow.mount: .*SYS_ADMIN"),
    ],
)
def test_what_would_let_its_root_out_is_an_error(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DocumentError, match=f"^jail web1: {complaint}.*; .*leave caps.user_namespace out"):
        resolve(**given)


@pytest.mark.parametrize("seccomp", ["default", "strict"])
def test_the_filters_that_hold_it_are_its_to_choose(seccomp: str) -> None:
    assert resolve(seccomp=seccomp, securebits=["noroot"], no_new_privileges=False).seccomp == seccomp


def test_nobody_else_owns_its_network() -> None:
    caps = {"profile": "service", "user_namespace": False, "allow": {"reserved_ports": False}}
    assert not owns_network({"name": "web1", "caps": caps, "ip": {"mode": "vnet"}})
    assert owns_network({"name": "web1", "caps": {**caps, "user_namespace": True}, "ip": {"mode": "vnet"}})
