# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
from functools import cache
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import syscall_policy
from ansible_collections.hosting.jails.plugins.module_utils._kernel.seccomp_compiler import (
    ALLOW,
    AUDIT_ARCHITECTURES,
    compile_filter,
    refuse,
)
from ansible_collections.hosting.jails.plugins.module_utils._kernel.syscall_numbers import numbers
from ansible_collections.hosting.jails.plugins.module_utils._model.profiles import CAPABILITIES, resolve_privileges
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._kernel.bpf_simulator import simulate

EPERM = refuse(errno.EPERM)
ENOSYS = refuse(errno.ENOSYS)
EAFNOSUPPORT = refuse(errno.EAFNOSUPPORT)
EPROTONOSUPPORT = refuse(errno.EPROTONOSUPPORT)

ARCHITECTURES = sorted(AUDIT_ARCHITECTURES)
PROFILES = ("none", "service", "secure", "vps")
KNOWN = frozenset().union(*(numbers(architecture) for architecture in ARCHITECTURES))

NAMESPACE_FLAGS = {
    "CLONE_NEWCGROUP": 0x02000000,
    "CLONE_NEWIPC": 0x08000000,
    "CLONE_NEWNET": 0x40000000,
    "CLONE_NEWNS": 0x00020000,
    "CLONE_NEWPID": 0x20000000,
    "CLONE_NEWUSER": 0x10000000,
    "CLONE_NEWUTS": 0x04000000,
}
THREAD_FLAGS = 0x3D0F00  # what pthread_create(3) passes
FORK_FLAGS = 0x1200011  # what fork(3) passes
UNSHARE_FILES = 0x600

AF = {"UNIX": 1, "INET": 2, "INET6": 10, "NETLINK": 16, "PACKET": 17}
EXOTIC_FAMILIES = sorted(set(range(50)) - set(AF.values()))
SOCK_STREAM = 1
NETLINK_ROUTE, NETLINK_AUDIT, NETLINK_CRYPTO = 0, 9, 21


@cache
def program(profile: str, architecture: str, keep: tuple[str, ...] = ()) -> bytes:
    kept = resolve_privileges({"profile": profile, "keep": keep}, jail="", system=False).capabilities
    return compile_filter(syscall_policy.verdicts(kept), architecture=architecture)


def verdict(
    name: str, *arguments: int, profile: str = "service", architecture: str = "x86_64", keep: tuple[str, ...] = ()
) -> int:
    return simulate(
        program(profile, architecture, keep),
        architecture=AUDIT_ARCHITECTURES[architecture],
        number=numbers(architecture)[name],
        arguments=arguments,
    )


def calls(names: frozenset[str]) -> list[tuple[str, str]]:
    return [(arch, name) for arch in ARCHITECTURES for name in sorted(names & set(numbers(arch)))]


def test_every_known_call_has_one_verdict() -> None:
    groups = [
        syscall_policy.ALLOWED,
        syscall_policy.REFUSED,
        syscall_policy.OBSOLETE,
        *syscall_policy.GATED.values(),
    ]
    by_argument = {"clone", "clone3", "ioctl", "personality", "socket", "socketpair", "unshare"}
    assert set(syscall_policy.verdicts(())) == KNOWN
    assert sorted(name for group in groups for name in group) == sorted(KNOWN - by_argument)


def test_gates_are_opened_by_capabilities_that_there_are() -> None:
    assert set(syscall_policy.GATED) <= CAPABILITIES


@pytest.mark.parametrize("profile", PROFILES)
def test_what_a_profile_allows_and_refuses_whatever_the_arguments(profile: str) -> None:
    kept = resolve_privileges({"profile": profile}, jail="", system=False).capabilities
    for names, want in (
        (syscall_policy.ALLOWED, ALLOW),
        (syscall_policy.REFUSED, EPERM),
        (syscall_policy.OBSOLETE, ENOSYS),
        *((names, ALLOW if gate in kept else EPERM) for gate, names in syscall_policy.GATED.items()),
    ):
        for architecture, name in calls(names):
            for arguments in ((), (0xFFFFFFFFFFFFFFFF,) * 6):
                found = verdict(name, *arguments, profile=profile, architecture=architecture)
                assert (architecture, name, found) == (architecture, name, want)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("profile", PROFILES)
def test_numbers_without_a_name_fail_as_on_an_older_kernel(profile: str, architecture: str) -> None:
    unknown = set(range(700)) - set(numbers(architecture).values()) | {0x3FFFFFFF, 0x40000000, 0x40000039, 0xFFFFFFFF}
    for number in unknown:
        native = AUDIT_ARCHITECTURES[architecture]
        assert simulate(program(profile, architecture), architecture=native, number=number) == ENOSYS


@pytest.mark.parametrize("gate", sorted(syscall_policy.GATED))
def test_keeping_a_capability_opens_its_gate_and_no_other(gate: str) -> None:
    for other, names in syscall_policy.GATED.items():
        for architecture, name in calls(names):
            want = ALLOW if other == gate else EPERM
            assert verdict(name, architecture=architecture, keep=(gate,)) == want


def permitted(name: str, *arguments: int, architecture: str, **permissions: Any) -> int:
    program = compile_filter(syscall_policy.verdicts((), **permissions), architecture=architecture)
    number = numbers(architecture)[name]
    return simulate(program, architecture=AUDIT_ARCHITECTURES[architecture], number=number, arguments=arguments)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_on_the_hosts_ids_no_file_leaves_its_project(architecture: str) -> None:
    def found(name: str, *arguments: int, on_host: bool) -> int:
        return permitted(name, *arguments, architecture=architecture, on_host=on_host)

    for on_host, want in ((True, EPERM), (False, ALLOW)):
        for request in (0x401C5820, 0x40086602, 1 << 32 | 0x401C5820):
            assert found("ioctl", 3, request, on_host=on_host) == want
        assert found("file_setattr", on_host=on_host) == want
        # Whoever only asks is answered.
        assert found("ioctl", 3, 0x801C581F, on_host=on_host) == ALLOW
        assert found("ioctl", 3, 0x5412, on_host=on_host) == EPERM
        for name in ("unshare", "clone"):
            assert found(name, 0x10000000, on_host=on_host) == EPERM


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_without_dumps_nobody_changes_the_limit_that_keeps_them_off(architecture: str) -> None:
    def found(name: str, *arguments: int, no_dumps: bool = True) -> int:
        return permitted(name, *arguments, architecture=architecture, no_dumps=no_dumps)

    core, files, pretend, somewhere = 4, 7, refuse(0), 0x7F0000000000
    for arguments in ((0, core, somewhere), (1234, core, 1 << 32), (0, 1 << 32 | core, somewhere, somewhere)):
        assert found("prlimit64", *arguments) == pretend
        assert found("prlimit64", *arguments, no_dumps=False) == ALLOW
    assert found("prlimit64", 0, core, 0, somewhere) == ALLOW
    assert found("prlimit64", 0, files, somewhere) == ALLOW
    assert found("setrlimit", core, somewhere) == pretend
    assert found("setrlimit", files, somewhere) == ALLOW


@pytest.mark.parametrize("permission", sorted(syscall_policy.PERMITTED))
def test_a_permission_opens_its_own_calls_and_no_others(permission: str) -> None:
    own = syscall_policy.PERMITTED[permission]
    for architecture, name in calls(syscall_policy.GATED["SYS_ADMIN"]):
        want = ALLOW if name in own else EPERM
        assert permitted(name, architecture=architecture, allowed=(permission,)) == want
    for architecture in ARCHITECTURES:
        assert permitted("unshare", 0x20000, architecture=architecture, allowed=(permission,)) == EPERM


@pytest.mark.parametrize("permission", sorted(syscall_policy.WITHDRAWN))
def test_a_permission_that_is_taken_away_closes_its_calls(permission: str) -> None:
    for architecture, name in calls(syscall_policy.WITHDRAWN[permission] - {"setns"}):
        assert permitted(name, architecture=architecture) == ALLOW
        assert permitted(name, architecture=architecture, refused=(permission,)) in (EPERM, ENOSYS)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_jail_that_may_mount_can_be_kept_from_making_namespaces(architecture: str) -> None:
    kept = resolve_privileges({"profile": "vps"}, jail="", system=False).capabilities
    policy = compile_filter(syscall_policy.verdicts(kept, refused=("nested_jails",)), architecture=architecture)
    for name, arguments in (("unshare", (0x20000,)), ("clone", (0x10000000,)), ("setns", ())):
        number = numbers(architecture)[name]
        native = AUDIT_ARCHITECTURES[architecture]
        assert simulate(policy, architecture=native, number=number, arguments=arguments) == EPERM


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_other_families_are_opened_without_those_that_have_no_namespace(architecture: str) -> None:
    closed = {AF["PACKET"], 38, 40}
    for family in EXOTIC_FAMILIES + [AF["PACKET"]]:
        want = EAFNOSUPPORT if family in closed else ALLOW
        assert permitted("socket", family, SOCK_STREAM, architecture=architecture, allowed=("socket_af",)) == want


@pytest.mark.parametrize("architecture", ARCHITECTURES)
class TestNamespaces:
    @pytest.mark.parametrize("flag", sorted(NAMESPACE_FLAGS))
    @pytest.mark.parametrize("name", ["clone", "unshare"])
    def test_cannot_be_made(self, name: str, flag: str, architecture: str) -> None:
        for extra in (0, 17, THREAD_FLAGS, 1 << 32, 0xFFFFFFFF << 32):
            assert verdict(name, NAMESPACE_FLAGS[flag] | extra, architecture=architecture) == EPERM

    def test_threads_and_forks_go_on(self, architecture: str) -> None:
        for flags in (THREAD_FLAGS, FORK_FLAGS, 17, 0, 0xFF):
            assert verdict("clone", flags, architecture=architecture) == ALLOW
        assert verdict("unshare", UNSHARE_FILES, architecture=architecture) == ALLOW

    def test_a_time_namespace_is_a_namespace_too(self, architecture: str) -> None:
        assert verdict("unshare", 0x80, architecture=architecture) == EPERM

    def test_clone3_hides_its_flags_and_is_not_there(self, architecture: str) -> None:
        assert verdict("clone3", architecture=architecture) == ENOSYS

    @pytest.mark.parametrize("name", ["clone", "unshare", "clone3"])
    def test_can_be_made_by_who_may_mount(self, name: str, architecture: str) -> None:
        assert verdict(name, 0x7E020000, profile="vps", architecture=architecture) == ALLOW
        assert verdict(name, 0x7E020000, keep=("SYS_ADMIN",), architecture=architecture) == ALLOW


@pytest.mark.parametrize("architecture", ARCHITECTURES)
class TestSockets:
    @pytest.mark.parametrize("profile", PROFILES)
    def test_exotic_families_do_not_exist(self, profile: str, architecture: str) -> None:
        for family in [*EXOTIC_FAMILIES, 38, 40, 255, 0xFFFFFFFF]:
            for high in (0, 1 << 32, 0xFFFFFFFF << 32):
                arguments = (family | high, SOCK_STREAM, 0)
                assert verdict("socket", *arguments, profile=profile, architecture=architecture) == EAFNOSUPPORT

    @pytest.mark.parametrize("profile", PROFILES)
    def test_everyday_families_work(self, profile: str, architecture: str) -> None:
        for family, protocol in ((1, 0), (2, 0), (2, 6), (2, 17), (10, 0), (10, 58), (2, 262), (16, NETLINK_ROUTE)):
            arguments = (family, SOCK_STREAM | 0x80800, protocol)
            assert verdict("socket", *arguments, profile=profile, architecture=architecture) == ALLOW

    def test_packet_sockets_need_their_capability(self, architecture: str) -> None:
        assert verdict("socket", AF["PACKET"], 3, architecture=architecture) == EAFNOSUPPORT
        assert verdict("socket", AF["PACKET"], 3, architecture=architecture, keep=("NET_RAW",)) == ALLOW
        assert verdict("socket", AF["PACKET"], 3, architecture=architecture, profile="vps") == ALLOW

    @pytest.mark.parametrize("protocol", [33, 112, 115, 132, 1 << 31])
    def test_protocols_that_load_modules_need_the_capability_for_raw_sockets(
        self, protocol: int, architecture: str
    ) -> None:
        for family in (AF["INET"], AF["INET6"]):
            arguments = (family, SOCK_STREAM, protocol)
            assert verdict("socket", *arguments, architecture=architecture) == EPROTONOSUPPORT
            assert verdict("socket", *arguments, architecture=architecture, keep=("NET_RAW",)) == ALLOW

    @pytest.mark.parametrize("profile", PROFILES)
    @pytest.mark.parametrize("protocol", [NETLINK_AUDIT, NETLINK_CRYPTO, 8, 18, 20, 31])
    def test_netlink_of_the_host_does_not_exist(self, protocol: int, profile: str, architecture: str) -> None:
        for high in (0, 1 << 32):
            arguments = (AF["NETLINK"], 3, protocol | high)
            assert verdict("socket", *arguments, profile=profile, architecture=architecture) == EPROTONOSUPPORT

    @pytest.mark.parametrize("protocol", [5, 6, 11, 12, 16])
    def test_netlink_of_network_managers_needs_their_capability(self, protocol: int, architecture: str) -> None:
        arguments = (AF["NETLINK"], 3, protocol)
        assert verdict("socket", *arguments, architecture=architecture) == EPROTONOSUPPORT
        assert verdict("socket", *arguments, architecture=architecture, keep=("NET_ADMIN",)) == ALLOW
        assert verdict("socket", *arguments, architecture=architecture, profile="vps") == ALLOW

    def test_pairs_are_of_the_unix_family(self, architecture: str) -> None:
        assert verdict("socketpair", AF["UNIX"], SOCK_STREAM, architecture=architecture) == ALLOW
        for family in (0, 2, 30, 40):
            assert verdict("socketpair", family, SOCK_STREAM, architecture=architecture) == EAFNOSUPPORT


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("command", [0x5412, 0x541C, 0x5423])
def test_no_terminal_is_typed_into_or_given_another_driver(command: int, profile: str, architecture: str) -> None:
    for high in (0, 1 << 32, 0xFFFFFFFF << 32):
        assert verdict("ioctl", 0, command | high, profile=profile, architecture=architecture) == EPERM


@pytest.mark.parametrize("command", [0, 0x5401, 0x5411, 0x5413, 0x541B, 0x541D, 0xFFFFFFFF])
def test_other_ioctls_pass(command: int) -> None:
    assert verdict("ioctl", 0, command) == ALLOW


@pytest.mark.parametrize("persona", [0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF])
def test_harmless_personalities_pass(persona: int) -> None:
    assert verdict("personality", persona) == ALLOW


@pytest.mark.parametrize("persona", [0x40000, 0x400000, 0x6, 0x1000000000000 | 0x40000])
def test_other_personalities_are_for_debuggers(persona: int) -> None:
    assert verdict("personality", persona) == EPERM
    assert verdict("personality", persona, keep=("SYS_PTRACE",)) == ALLOW


@pytest.mark.parametrize("profile", PROFILES)
def test_the_calls_that_impose_the_ceiling_pass_it(profile: str) -> None:
    """Without no_new_privs the filter is there before the ids change."""
    for name in ("prctl", "setgroups", "setresgid", "setresuid", "capset", "execve", "execveat", "close_range"):
        assert verdict(name, profile=profile) == ALLOW
