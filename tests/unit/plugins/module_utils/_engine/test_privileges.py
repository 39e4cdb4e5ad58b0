# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import device_findings
from ansible_collections.hosting.jails.plugins.module_utils._engine.ceiling import Ceiling
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.finding import Finding
from ansible_collections.hosting.jails.plugins.module_utils._engine.privileges import compile_ceiling
from ansible_collections.hosting.jails.plugins.module_utils._engine.truth import refuse_weaker, report_on
from ansible_collections.hosting.jails.plugins.module_utils._kernel import seccomp, sysctls
from ansible_collections.hosting.jails.plugins.module_utils._kernel.capabilities import name_of
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.permissions import PERMISSIONS, spread

DOCUMENTS: list[dict[str, Any]] = [
    {"name": "web1"},
    {"name": "web1", "caps": {"profile": "none"}},
    {"name": "web1", "caps": {"keep": ["NET_RAW"], "drop": ["KILL"], "no_new_privileges": False}},
    {"name": "web1", "caps": {"seccomp": "none"}},
    {"name": "box", "init": "system"},
]


def findings(document: dict[str, Any]) -> dict[str, Finding]:
    return {line.item: line for line in compile_ceiling(document, architecture="x86_64").report}


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_a_ceiling_survives_the_way_to_the_disk_and_back(document: dict[str, Any], architecture: str) -> None:
    ceiling = compile_ceiling(document, architecture=architecture)
    assert Ceiling.from_json(json.loads(json.dumps(ceiling.to_json()))) == ceiling


def test_compiling_twice_gives_the_same_bytes() -> None:
    once, again = (compile_ceiling({"name": "web1"}, architecture="x86_64") for _unused in range(2))
    assert once == again


@pytest.mark.parametrize("damage", [{"bounding": None}, {"seccomp": "?"}, {"report": [{"colour": "red"}]}, {}])
def test_a_damaged_ceiling_is_no_ceiling(damage: dict[str, Any]) -> None:
    stored = {**compile_ceiling({}, architecture="x86_64").to_json(), **damage} if damage else {}
    with pytest.raises((KeyError, TypeError, ValueError)):
        Ceiling.from_json(stored)


def test_keep_and_drop_reach_the_bounding_set() -> None:
    ceiling = compile_ceiling({"caps": {"profile": "none", "keep": ["CAP_CHOWN", "kill"]}}, architecture="x86_64")
    assert {name_of(number) for number in ceiling.bounding} == {"CHOWN", "KILL"}


def test_a_filter_is_there_unless_it_is_declined() -> None:
    assert compile_ceiling({}, architecture="x86_64").seccomp
    assert not compile_ceiling({"caps": {"seccomp": "none"}}, architecture="x86_64").seccomp


def test_an_architecture_without_a_filter_names_the_way_out() -> None:
    with pytest.raises(EngineError) as caught:
        compile_ceiling({"name": "web1"}, architecture="riscv64")
    assert str(caught.value) == ("jail web1: caps.seccomp: no system call numbers for riscv64; say seccomp: none")
    assert compile_ceiling({"caps": {"seccomp": "none"}}, architecture="riscv64").bounding


def test_documents_that_cannot_be_are_named_with_their_jail() -> None:
    with pytest.raises(DocumentError, match="jail web1: caps.keep"):
        compile_ceiling({"name": "web1", "caps": {"keep": ["SYS_MODULE"]}}, architecture="x86_64")


def test_the_report_says_what_is_enforced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_findings, "takes_programs", lambda: True)
    report = findings({"name": "web1"})
    assert {item: line.verdict for item, line in report.items()} == {
        "capabilities": "enforced",
        "seccomp": "enforced",
        "no_new_privileges": "enforced",
        "devices": "enforced",
    }


@pytest.mark.parametrize(
    ("programs", "controller", "verdict", "why"),
    [
        (True, True, "enforced", "a program on the jail's control group"),
        (False, True, "enforced", "the devices controller of version 1"),
        (False, False, "partial", "mounts without them"),
    ],
)
def test_the_report_says_what_holds_a_jail_to_its_devices(
    programs: bool, controller: bool, verdict: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_findings, "takes_programs", lambda: programs)
    monkeypatch.setattr(device_findings, "_has_controller", lambda: controller)
    found = findings({"name": "web1"})["devices"]
    assert found.verdict == verdict
    assert why in found.why


def test_the_report_says_what_a_jail_could_do_with_an_unsafe_device() -> None:
    entry = {"path": "/dev/disk", "type": "block", "major": 8, "minor": 0, "unsafe": True}
    assert "owns what is on it" in findings({"name": "web1", "caps": {"devices": [entry]}})["device /dev/disk"].why


def test_the_report_names_a_device_that_the_host_does_not_have() -> None:
    found = findings({"name": "web1", "caps": {"devices": [{"path": "/dev/no-such-device"}]}})["devices"]
    assert (found.verdict, found.why) == ("unavailable", "the host has no /dev/no-such-device")


def test_only_devices_that_were_asked_for_make_a_strict_jail_too_weak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_findings, "takes_programs", lambda: False)
    monkeypatch.setattr(device_findings, "_has_controller", lambda: False)
    for asked in ([], ["none"]):
        document = {"name": "web1", "caps": {"strict": True, "devices": asked}}
        if asked:
            with pytest.raises(EngineError, match="devices is partial on this host"):
                refuse_weaker(document, report=report_on(document))
        else:
            refuse_weaker(document, report=report_on(document))


def test_the_report_says_what_a_capability_is_not_worth() -> None:
    assert findings({"caps": {"keep": ["SYS_NICE"]}})["capability SYS_NICE"].verdict == "partial"
    assert "capability SYS_CHROOT" not in findings({"caps": {"keep": ["SYS_CHROOT"]}})


@pytest.mark.parametrize("name", ["CHECKPOINT_RESTORE", "IPC_LOCK", "IPC_OWNER", "SYS_BOOT"])
def test_what_belongs_to_who_has_made_the_namespaces_is_worth_nothing_where_that_is_the_host(name: str) -> None:
    kept = findings({"caps": {"keep": [name]}})[f"capability {name}"]
    assert (kept.verdict, "host's user namespace" in kept.why) == ("unavailable", True)
    own = findings({"caps": {"profile": "vps"}}).get(f"capability {name}")
    assert own is None or own.verdict == "partial"


def test_a_capability_that_is_confined_to_a_permission_is_told_of_with_that() -> None:
    assert "capability SYS_ADMIN" not in findings({"caps": {"allow": {"set_hostname": True}}})
    assert findings({"caps": {"keep": ["SYS_ADMIN"]}})["capability SYS_ADMIN"].verdict == "partial"


@pytest.mark.parametrize("mode", ["vnet", "none", "host", "shared"])
def test_network_capabilities_need_a_network_of_ones_own(mode: str) -> None:
    for privileges in ({"caps": {"keep": ["NET_RAW", "NET_ADMIN"]}}, {"init": "system"}):
        report = findings({**privileges, "ip": {"mode": mode}})
        for capability in ("capability NET_RAW", "capability NET_ADMIN"):
            if mode in ("host", "shared"):
                assert report[capability].verdict == "unavailable"
            else:
                assert capability not in report


def test_every_permission_is_reported_with_its_worth() -> None:
    for name, permission in PERMISSIONS.items():
        for part, given in spread({name: True}).items():
            line = findings({"caps": {"allow": {part: given}}, "ip": {"mode": "vnet"}})[f"allow {part}"]
            assert (line.verdict == "unavailable") is bool(permission.unavailable)
            assert line.why or line.verdict == "enforced"


def test_a_profile_that_mounts_has_what_others_cannot_be_given() -> None:
    caps = {"profile": "vps"}
    assert findings({"caps": {**caps, "allow": {"nested_jails": True}}})["allow nested_jails"].verdict == "enforced"
    assert findings({"caps": {**caps, "allow": {"nested_jails": False}}})["allow nonested_jails"].verdict == "enforced"
    denied = findings({"caps": {**caps, "allow": {"mount.procfs": False}}})
    assert denied["allow mount.noprocfs"].verdict == "unavailable"


def test_without_a_filter_nothing_takes_a_system_call_away() -> None:
    caps = {"allow": {"sysvshm": False}}
    assert findings({"caps": caps})["allow nosysvshm"].verdict == "enforced"
    assert findings({"caps": {**caps, "seccomp": "none"}})["allow nosysvshm"].verdict == "unavailable"


def test_a_permission_of_a_profile_that_no_filter_confines_is_unavailable() -> None:
    assert findings({"caps": {"profile": "freebsd"}})["allow set_hostname"].verdict == "enforced"
    found = findings({"caps": {"profile": "freebsd", "seccomp": "none"}})["allow set_hostname"]
    assert (found.verdict, found.why) == ("unavailable", "without our filter the jail would get all of SYS_ADMIN")


@pytest.mark.parametrize(
    ("caps", "item"),
    [
        ({"allow": {"settime": True}}, "allow settime"),
        ({"allow": {"mount": True}}, "allow mount"),
        ({"keep": ["IPC_LOCK"]}, "capability IPC_LOCK"),
    ],
)
def test_strict_refuses_what_is_worth_less_than_asked_for(caps: dict[str, Any], item: str) -> None:
    document = {"name": "web1", "caps": {**caps, "strict": True}}
    with pytest.raises(EngineError, match=f"caps.strict: {item}"):
        refuse_weaker(document, report=report_on(document))
    relaxed = {"name": "web1", "caps": caps}
    refuse_weaker(relaxed, report=report_on(relaxed))


def test_strict_takes_a_profile_as_it_is() -> None:
    document = {"name": "box", "init": "system", "caps": {"strict": True}}
    refuse_weaker(document, report=report_on(document))


def test_securebits_are_set_with_their_locks() -> None:
    assert compile_ceiling({"caps": {"securebits": ["noroot"]}}, architecture="x86_64").securebits == 0b11
    assert compile_ceiling({"caps": {"allow": {"suser": False}}}, architecture="x86_64").securebits == 0b11


def test_low_ports_in_the_network_of_the_host_stay_with_the_host() -> None:
    assert findings({"ip": {"mode": "host"}})["capability NET_BIND_SERVICE"].verdict == "unavailable"
    assert "capability NET_BIND_SERVICE" not in findings({"ip": {"mode": "vnet"}})


@pytest.mark.parametrize(("first", "verdict"), [("1024", "enforced"), ("80", "partial"), ("0", "partial")])
def test_low_ports_are_refused_on_the_stack_of_the_host_as_far_as_the_host_refuses_them(
    first: str, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysctls, "read", lambda name: first if name.endswith("port_start") else None)
    caps = {"allow": {"reserved_ports": False}}
    found = {line.item: line.verdict for line in report_on({"caps": caps, "ip": {"mode": "host"}})}
    assert found["allow noreserved_ports"] == verdict
    found = {line.item: line.verdict for line in report_on({"caps": caps, "ip": {"mode": "vnet"}})}
    assert found["allow noreserved_ports"] == "enforced"


def test_low_ports_in_the_network_of_the_jail_are_open_without_the_capability() -> None:
    assert findings({"caps": {"profile": "none"}})["capability NET_BIND_SERVICE"].verdict == "partial"


def test_a_report_has_one_line_an_item() -> None:
    for document in DOCUMENTS:
        report = compile_ceiling(document, architecture="x86_64").report
        assert len({line.item for line in report}) == len(report)


def test_without_a_filter_the_keep_list_is_only_partial() -> None:
    assert findings({"caps": {"seccomp": "none"}})["capabilities"].verdict == "partial"


def test_a_kernel_without_filters_is_reported_and_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "is_available", lambda: False)
    ceiling = compile_ceiling({}, architecture="x86_64")
    assert not ceiling.seccomp
    assert {line.item: line.verdict for line in ceiling.report}["seccomp"] == "unavailable"
    assert findings({"caps": {"allow": {"set_hostname": True}}})["allow set_hostname"].verdict == "unavailable"
    confined = compile_ceiling({"caps": {"profile": "none", "allow": {"set_hostname": True}}}, architecture="x86_64")
    assert not confined.bounding
