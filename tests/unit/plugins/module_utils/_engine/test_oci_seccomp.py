# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Profiles as Docker and OCI runtimes take them, proven call by call in the simulator."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.oci_seccomp import Circumstances, read_profile
from ansible_collections.hosting.jails.plugins.module_utils._kernel.seccomp_compiler import (
    ALLOW,
    AUDIT_ARCHITECTURES,
    KILL_PROCESS,
    LOG,
    TRAP,
    Comparison,
    Conditions,
    compile_filter,
    refuse,
)
from ansible_collections.hosting.jails.plugins.module_utils._kernel.syscall_numbers import numbers
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._kernel.bpf_simulator import simulate
from hypothesis import given
from hypothesis import strategies as st

EPERM, ENOSYS = refuse(errno.EPERM), refuse(errno.ENOSYS)
NEW_NAMESPACES = 0x7E020000
WORDS = st.one_of(st.integers(0, (1 << 64) - 1), st.sampled_from([0, 1, 0xFFFFFFFF, 1 << 32, (1 << 64) - 1]))
MEANING = {
    "ne": lambda word, value, mask: word != value,
    "lt": lambda word, value, mask: word < value,
    "le": lambda word, value, mask: word <= value,
    "eq": lambda word, value, mask: word == value,
    "ge": lambda word, value, mask: word >= value,
    "gt": lambda word, value, mask: word > value,
    "masked_eq": lambda word, value, mask: word & mask == value,
}


def profile(*syscalls: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": list(syscalls), **other}


def allow(*names: str, **other: Any) -> dict[str, Any]:
    return {"names": list(names), "action": "SCMP_ACT_ALLOW", **other}


def verdict(
    source: dict[str, Any],
    name: str,
    *arguments: int,
    capabilities: tuple[str, ...] = (),
    architecture: str = "x86_64",
    kernel: tuple[int, int] = (6, 1),
) -> int:
    policy = read_profile(source, Circumstances(capabilities, architecture, kernel), jail="web1")
    return simulate(
        compile_filter(policy.verdicts, architecture=architecture, default=policy.default),
        architecture=AUDIT_ARCHITECTURES[architecture],
        number=numbers(architecture)[name],
        arguments=arguments,
    )


def refused(source: Any) -> str:
    with pytest.raises(EngineError) as caught:
        read_profile(source, Circumstances((), "x86_64", (6, 1)), jail="web1")
    return str(caught.value)


def test_what_is_named_gets_its_action_and_the_rest_the_default() -> None:
    source = profile(allow("read", "write"), {"names": ["ptrace"], "action": "SCMP_ACT_KILL_PROCESS"})
    assert verdict(source, "read") == ALLOW
    assert verdict(source, "ptrace") == KILL_PROCESS
    assert verdict(source, "mount") == EPERM


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        ({"action": "SCMP_ACT_ERRNO"}, EPERM),
        ({"action": "SCMP_ACT_ERRNO", "errnoRet": 38}, ENOSYS),
        ({"action": "SCMP_ACT_LOG"}, LOG),
        ({"action": "SCMP_ACT_TRAP"}, TRAP),
    ],
)
def test_actions_become_verdicts(action: dict[str, Any], wanted: int) -> None:
    assert verdict(profile({"names": ["mount"], **action}), "mount") == wanted


def test_the_default_may_have_an_errno_of_its_own() -> None:
    assert verdict(profile(defaultErrnoRet=38), "mount") == ENOSYS


def test_a_profile_that_allows_by_default_still_refuses_other_architectures() -> None:
    policy = read_profile({"defaultAction": "SCMP_ACT_ALLOW"}, Circumstances((), "x86_64", (6, 1)), jail="web1")
    program = compile_filter(policy.verdicts, architecture="x86_64", default=policy.default)
    native = AUDIT_ARCHITECTURES["x86_64"]
    assert simulate(program, architecture=native, number=9999) == ALLOW
    assert simulate(program, architecture=native, number=0x40000000) == ENOSYS
    assert simulate(program, architecture=0x40000003, number=1) == ENOSYS


def test_arguments_decide_as_in_dockers_rule_for_clone() -> None:
    test = {"index": 0, "value": NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    source = profile(allow("clone", args=[test]))
    assert verdict(source, "clone", 0x1200011) == ALLOW
    assert verdict(source, "clone", 0x10000000 | 17) == EPERM


def test_several_rules_for_one_call_are_alternatives_and_several_tests_of_one_rule_are_not() -> None:
    tests = [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"} for value in (1, 2)]
    either = profile(allow("socket", args=tests[:1]), allow("socket", args=tests[1:]))
    both = profile(allow("socket", args=[tests[0], {"index": 1, "value": 5, "op": "SCMP_CMP_GE"}]))
    assert [verdict(either, "socket", family) for family in (1, 2, 3)] == [ALLOW, ALLOW, EPERM]
    assert [verdict(both, "socket", 1, kind) for kind in (4, 5, 6)] == [EPERM, ALLOW, ALLOW]


def test_conditions_on_arguments_go_before_a_rule_without_any() -> None:
    test = {"index": 0, "value": 40, "op": "SCMP_CMP_EQ"}
    source = profile(allow("socket"), {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [test]})
    assert [verdict(source, "socket", family) for family in (2, 40)] == [ALLOW, EPERM]


def test_rules_depend_on_capabilities_architecture_and_kernel() -> None:
    source = profile(
        allow("mount", includes={"caps": ["CAP_SYS_ADMIN"]}),
        allow("ptrace", includes={"minKernel": "4.8"}),
        {"names": ["kcmp"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_PTRACE"]}},
        allow("arch_prctl", includes={"arches": ["amd64", "x32"]}),
    )
    assert verdict(source, "mount") == EPERM
    assert verdict(source, "mount", capabilities=("SYS_ADMIN",)) == ALLOW
    assert [verdict(source, "ptrace", kernel=kernel) for kernel in ((4, 7), (4, 8), (5, 0))] == [EPERM, ALLOW, ALLOW]
    assert [verdict(source, "kcmp", capabilities=caps) for caps in ((), ("SYS_PTRACE",))] == [ALLOW, EPERM]
    assert verdict(source, "arch_prctl") == ALLOW
    assert verdict(profile(allow("read", includes={"arches": ["arm64"]})), "read", architecture="aarch64") == ALLOW


def test_names_that_this_release_does_not_know_are_passed_over() -> None:
    assert verdict(profile(allow("no_such_call", "read")), "read") == ALLOW


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "caps.seccomp: the profile is not a mapping"),
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "caps.seccomp.defaultAction: 'SCMP_ACT_NOTIFY' is not an action"),
        (profile({"names": ["read"], "action": "ALLOW"}), "caps.seccomp.syscalls[0].action: 'ALLOW' is not an action"),
        (profile({"action": "SCMP_ACT_ALLOW"}), "caps.seccomp.syscalls[0].names: there is no list"),
        (profile("read"), "caps.seccomp.syscalls[0]: the rule is not a mapping"),
        (profile(allow("read", args=[{"index": 6, "op": "SCMP_CMP_EQ"}])), "syscalls[0].args[0].index"),
        (profile(allow("read", args=[{"index": 0, "op": "=="}])), "syscalls[0].args[0].op"),
        (profile(allow("read", args=[{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}])), "args[0].value: -1"),
        (profile(allow("read", includes={"minKernel": "four"})), "syscalls[0].includes.minKernel"),
        (profile(allow("read"), defaultErrnoRet=99999), "caps.seccomp.defaultErrnoRet: 99999 is not an errno"),
        (profile(architectures=["SCMP_ARCH_S390X"]), "caps.seccomp.architectures: the profile is for SCMP_ARCH_S390X"),
    ],
)
def test_what_a_profile_cannot_mean_is_refused_by_its_place(source: Any, message: str) -> None:
    assert message in refused(source)


@given(st.sampled_from(sorted(MEANING)), WORDS, WORDS, WORDS)
def test_a_comparison_means_what_its_operator_says(operator: str, word: int, value: int, mask: int) -> None:
    value = value & mask if operator == "masked_eq" else value
    conditions = Conditions((Comparison(1, operator, value, mask),), ALLOW, EPERM)
    program = compile_filter({"read": conditions}, architecture="x86_64")
    found = simulate(program, architecture=AUDIT_ARCHITECTURES["x86_64"], number=0, arguments=(0, word))
    assert (found == ALLOW) is MEANING[operator](word, value, mask)
