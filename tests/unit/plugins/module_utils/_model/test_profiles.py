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
    OF_SYSTEM_JAILS,
    PROFILES,
    Privileges,
    owns_network,
    privileges_of,
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
    assert set(LIMITED) | set(OF_SYSTEM_JAILS) <= resolve(profile="vps").capabilities
    assert all(LIMITED.values()) and all(OF_SYSTEM_JAILS.values())


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


@pytest.mark.parametrize("profile", ["SERVICE", "privileged"])
def test_unknown_profiles_are_refused(profile: str) -> None:
    assert refused(profile=profile).endswith("use one of none, service, freebsd, secure, vps")


def test_freebsd_leaves_what_its_handbook_leaves() -> None:
    privileges = resolve(profile="freebsd")
    assert {"SETUID", "SETGID", "CHOWN", "FOWNER", "SYS_CHROOT", "SYS_RESOURCE"} <= privileges.capabilities
    assert not {"NET_ADMIN", "NET_RAW"} & privileges.capabilities
    assert privileges.allowed == {"set_hostname"}
    assert privileges.refused == {"sysvmsg", "sysvsem", "sysvshm"}


def test_secure_is_no_more_than_the_keep_list_of_reducecap() -> None:
    historic = """
        CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID NET_BIND_SERVICE SYS_CHROOT SYS_PTRACE
        SYS_TTY_CONFIG LEASE SETFCAP
    """
    assert resolve(profile="secure").capabilities <= set(historic.split())


def test_a_permission_brings_its_capability_and_takes_it_along() -> None:
    assert resolve(allow={"raw_sockets": True}).capabilities == APP | {"NET_RAW"}
    assert resolve(allow={"reserved_ports": False}).capabilities == APP - {"NET_BIND_SERVICE"}
    assert "SYS_PTRACE" not in resolve(profile="vps", allow={"unprivileged_proc_debug": False}).capabilities


def test_a_capability_that_comes_with_a_permission_alone_is_confined_to_it() -> None:
    assert resolve(allow={"set_hostname": True}).confined == {"SYS_ADMIN"}
    assert not resolve(profile="vps", allow={"set_hostname": True}).confined
    assert not resolve(keep=["SYS_ADMIN"], allow={"mount": True}).confined
    assert not resolve(allow={"raw_sockets": True}).confined


def test_what_is_said_of_a_permission_goes_before_the_profile() -> None:
    privileges = resolve(profile="freebsd", allow={"sysvshm": True, "set_hostname": False})
    assert privileges.refused == {"sysvmsg", "sysvsem", "set_hostname"}
    assert "SYS_ADMIN" not in privileges.capabilities


def test_a_word_for_three_yields_to_each_of_them() -> None:
    assert resolve(allow={"sysvipc": False, "sysvsem": True}).refused == {"sysvmsg", "sysvshm"}


def test_without_a_superuser_nothing_is_kept() -> None:
    privileges = resolve(profile="vps", keep=["NET_RAW"], allow={"suser": False})
    assert (privileges.capabilities, privileges.confined) == (frozenset(), frozenset())
    assert privileges.securebits == ("noroot",)


def test_a_permission_that_another_option_takes_back_is_refused() -> None:
    assert "caps.allow.raw_sockets: NET_RAW is in caps.drop" in refused(allow={"raw_sockets": True}, drop=["NET_RAW"])
    assert "caps.allow.raw_sockets: NET_RAW is in caps.keep" in refused(allow={"raw_sockets": False}, keep=["NET_RAW"])


def test_what_only_a_filter_confines_needs_the_filter() -> None:
    for other in ("none", "/etc/docker.json", {"defaultAction": "SCMP_ACT_ALLOW"}):
        assert "leave caps.seccomp out" in refused(allow={"set_hostname": True}, seccomp=other)
        by_profile = resolve(profile="freebsd", seccomp=other)
        assert by_profile.withheld == {"set_hostname"}
        assert "SYS_ADMIN" not in by_profile.capabilities
        assert "set_hostname" not in by_profile.allowed


def test_who_has_a_capability_anyway_needs_no_filter_for_its_permissions() -> None:
    for caps in ({"profile": "vps"}, {"profile": "freebsd", "keep": ["SYS_ADMIN"]}):
        privileges = resolve(**caps, allow={"set_hostname": True}, seccomp="none")
        assert "set_hostname" in privileges.allowed
        assert not privileges.withheld


@pytest.mark.parametrize(
    "caps",
    [{"profile": "vps"}, {"keep": ["NET_RAW"]}, {"allow": {"raw_sockets": True}}, {"allow": {"reserved_ports": False}}],
)
def test_a_jail_owns_its_network_when_its_privileges_have_use_for_it(caps: dict[str, Any]) -> None:
    assert owns_network({"name": "web1", "init": "auto", "caps": {"profile": "service", **caps}})
    assert not owns_network({"name": "web1", "init": "auto", "caps": {"profile": "service"}})


def test_a_system_jail_does_not_start_under_a_profile_it_cannot_boot_with() -> None:
    assert "caps.profile" in refused(system=True, profile="service")


def test_unknown_filters_are_refused() -> None:
    assert refused(seccomp="unconfined").endswith("use one of default, strict, none")


def test_to_say_that_there_is_a_user_namespace_changes_nothing() -> None:
    assert resolve(user_namespace=True) == resolve(user_namespace={"base": 1 << 20, "size": 65536}) == resolve()
    assert resolve().user_namespace


def test_who_administers_the_network_owns_it_and_has_its_capabilities() -> None:
    document = {"name": "web1", "init": "auto", "caps": {"profile": "none"}, "ip": {"mode": "vnet", "admin": True}}
    assert owns_network(document)
    assert privileges_of(document).capabilities == {"NET_ADMIN", "NET_BROADCAST", "NET_RAW"}
    document["caps"] = {"profile": "none", "drop": ["NET_RAW"]}
    assert privileges_of(document).capabilities == {"NET_ADMIN", "NET_BROADCAST"}
