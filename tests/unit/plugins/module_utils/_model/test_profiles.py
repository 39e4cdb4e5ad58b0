# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.profiles import (
    CAPABILITIES,
    LIMITED,
    PROFILES,
    Privileges,
    resolve_privileges,
)
from hypothesis import given
from hypothesis import strategies as st

APP = {
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE", "SETFCAP"
}  # fmt: skip
HOST_ONLY = {"SYS_MODULE", "SYS_TIME", "SYS_RAWIO", "SYSLOG", "MKNOD", "BPF", "PERFMON", "MAC_ADMIN", "AUDIT_CONTROL"}


def resolve(system: bool = False, **caps: Any) -> Privileges:
    return resolve_privileges(caps, jail="web1", system=system)


def refused(system: bool = False, **caps: Any) -> str:
    with pytest.raises(DocumentError) as caught:
        resolve(system, **caps)
    return str(caught.value)


def test_a_jail_is_a_service_unless_it_says_otherwise() -> None:
    assert resolve() == Privileges("service", frozenset(APP), no_new_privileges=True, seccomp="default")


def test_a_system_jail_gets_vps_unless_it_says_otherwise() -> None:
    privileges = resolve(system=True)
    assert privileges.profile == "vps"
    assert not privileges.no_new_privileges
    assert {"SYS_ADMIN", "NET_ADMIN", "SYS_CHROOT", "SYS_BOOT"} <= privileges.capabilities


def test_none_keeps_nothing() -> None:
    assert not resolve(profile="none").capabilities


def test_vps_keeps_nothing_that_only_the_host_has() -> None:
    assert not resolve(profile="vps").capabilities & HOST_ONLY


def test_cleared_options_are_those_that_were_never_given() -> None:
    assert resolve(profile="", keep=[], drop=[], seccomp="", no_new_privileges=None) == resolve()


@pytest.mark.parametrize("spelling", ["NET_RAW", "net_raw", "CAP_NET_RAW", "cap_net_raw"])
def test_capabilities_are_named_with_or_without_their_prefix(spelling: str) -> None:
    assert resolve(keep=[spelling]).capabilities == APP | {"NET_RAW"}


def test_what_is_dropped_may_be_missing_already() -> None:
    assert resolve(drop=["SYS_ADMIN", "CHOWN"]).capabilities == APP - {"CHOWN"}


@pytest.mark.parametrize("value", [True, False])
def test_no_new_privileges_is_taken_as_said(value: bool) -> None:
    for profile in PROFILES:
        assert resolve(profile=profile, no_new_privileges=value).no_new_privileges is value


@given(
    profile=st.sampled_from(PROFILES),
    keep=st.sets(st.sampled_from(sorted(CAPABILITIES))),
    drop=st.sets(st.sampled_from(sorted(CAPABILITIES))),
)
def test_profile_plus_keep_minus_drop(profile: str, keep: set[str], drop: set[str]) -> None:
    base = resolve(profile=profile).capabilities
    grantable = resolve(profile="vps").capabilities
    if keep & drop or keep - grantable:
        refused(profile=profile, keep=sorted(keep), drop=sorted(drop))
        return
    assert resolve(profile=profile, keep=sorted(keep), drop=sorted(drop)).capabilities == (base | keep) - drop


def test_limited_capabilities_are_grantable_and_explained() -> None:
    assert set(LIMITED) <= resolve(profile="vps").capabilities
    assert all(LIMITED.values())


def test_a_misspelt_capability_is_answered_with_the_nearest() -> None:
    message = refused(keep=["CHOWN", "NET_ADMN"])
    assert message == "jail web1: caps.keep[1]: 'NET_ADMN' is not a capability; did you mean NET_ADMIN?"
    assert "caps.drop[0]" in refused(drop=["sys_chrot"])


def test_a_name_like_no_capability_gets_no_guess() -> None:
    assert refused(keep=["xyzzy"]).endswith("capabilities(7) lists them")


def test_what_only_the_host_has_cannot_be_kept() -> None:
    assert refused(keep=["SYS_TIME"]) == (
        "jail web1: caps.keep[0]: SYS_TIME cannot be kept: the clock belongs to the host; take it out of the list"
    )


def test_keeping_and_dropping_the_same_is_refused() -> None:
    assert "caps.keep[0]: KILL is also in caps.drop" in refused(keep=["KILL"], drop=["cap_kill"])


@pytest.mark.parametrize("profile", ["freebsd", "secure", "SERVICE", "privileged"])
def test_unknown_profiles_are_refused(profile: str) -> None:
    assert refused(profile=profile).endswith("use one of none, service, vps")


def test_a_system_jail_does_not_start_under_a_profile_it_cannot_boot_with() -> None:
    assert "caps.profile" in refused(system=True, profile="service")


def test_unknown_filters_are_refused() -> None:
    assert refused(seccomp="unconfined").endswith("use one of default, none")


def test_the_user_namespace_cannot_be_turned_off_yet() -> None:
    assert "caps.user_namespace" in refused(user_namespace=False)
    assert resolve(user_namespace=True) == resolve()
