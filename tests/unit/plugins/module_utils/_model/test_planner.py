# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.document import effective, normalise
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.live import Live, NetworkLive
from ansible_collections.hosting.jails.plugins.module_utils._model.planner import Wanted, plan

JAIL = "web1"
STORED = normalise(
    {
        "rootfs": {"source": {"template": "debian"}},
        "ip": {"mode": "vnet", "addresses": ["10.20.0.11"]},
        "command": ["nginx"],
        "limits": {"memory": "256M"},
    },
    jail=JAIL,
)
NETWORK = NetworkLive(mode="vnet", addresses=("10.20.0.11/32",), mtu=1500)
STOPPED = Live(state="stopped", network=NETWORK, rootfs={"template": "debian"})
RUNNING = replace(STOPPED, state="running", started=effective(STORED), limits={"memory": "256M"})
FROZEN = replace(RUNNING, state="frozen")


def wanted(state=None, part="jail", reset=False, **given):
    return Wanted(JAIL, given, state=state, part=part, reset=reset)


def kinds(planned):
    return [action.kind for action in planned.actions]


def refusal(*arguments):
    with pytest.raises(DocumentError) as caught:
        plan(*arguments)
    return str(caught.value)


# A jail that is as it should be


@pytest.mark.parametrize(("state", "live"), [("started", RUNNING), ("stopped", STOPPED), ("frozen", FROZEN)])
def test_a_jail_that_is_as_wanted_is_left_alone(state, live):
    planned = plan(wanted(state), STORED, live)
    assert kinds(planned) == []
    assert not planned.changed


@pytest.mark.parametrize("live", [STOPPED, RUNNING, FROZEN, replace(STOPPED, state="failed")])
@pytest.mark.parametrize("state", [None, "present"])
def test_present_leaves_the_run_state_as_it_is(state, live):
    assert kinds(plan(wanted(state), STORED, live)) == []


# States


def test_present_of_a_new_jail_writes_its_document_and_makes_what_its_sections_say():
    planned = plan(wanted("present", **STORED), None, Live())
    assert kinds(planned) == ["document.write", "rootfs.create", "network.create"]
    assert (planned.before, planned.after) == (None, STORED)
    assert (planned.state_before, planned.state_after) == ("absent", "stopped")


def test_present_of_a_new_jail_without_sections_writes_its_document_only():
    assert kinds(plan(wanted("present", command=["nginx"]), None, Live())) == ["document.write"]


def test_started_makes_a_new_jail_and_starts_it_last():
    planned = plan(wanted("started", **STORED), None, Live())
    assert kinds(planned) == ["document.write", "rootfs.create", "network.create", "jail.start"]
    assert planned.state_after == "running"


def test_a_start_gets_a_network_even_for_a_document_that_says_nothing_of_one():
    planned = plan(wanted("started", rootfs={"source": {"empty": True}}), None, Live())
    assert kinds(planned) == ["document.write", "rootfs.create", "network.create", "jail.start"]


@pytest.mark.parametrize(
    ("state", "live", "expected"),
    [
        ("started", STOPPED, ["jail.start"]),
        ("started", replace(STOPPED, state="failed"), ["jail.start"]),
        ("started", FROZEN, ["jail.thaw"]),
        ("stopped", RUNNING, ["jail.stop"]),
        ("stopped", FROZEN, ["jail.thaw", "jail.stop"]),
        ("stopped", replace(STOPPED, state="failed"), ["jail.stop"]),
        ("restarted", RUNNING, ["jail.stop", "jail.start"]),
        ("restarted", FROZEN, ["jail.thaw", "jail.stop", "jail.start"]),
        ("restarted", STOPPED, ["jail.start"]),
        ("frozen", RUNNING, ["jail.freeze"]),
        ("frozen", STOPPED, ["jail.start", "jail.freeze"]),
    ],
)
def test_a_state_is_reached_from_any_other(state, live, expected):
    planned = plan(wanted(state), STORED, live)
    assert kinds(planned) == expected
    assert planned.changed
    assert not planned.restart_required


def test_absent_removes_the_document_last():
    assert kinds(plan(wanted("absent"), STORED, RUNNING)) == [
        "jail.stop",
        "network.remove",
        "rootfs.remove",
        "document.remove",
    ]
    assert kinds(plan(wanted("absent"), STORED, FROZEN))[:2] == ["jail.thaw", "jail.stop"]


def test_absent_finishes_what_an_earlier_run_began():
    assert kinds(plan(wanted("absent"), STORED, replace(STOPPED, network=None))) == ["rootfs.remove", "document.remove"]
    assert kinds(plan(wanted("absent"), None, Live(network=NETWORK))) == ["network.remove"]
    assert kinds(plan(wanted("absent"), None, Live())) == []


def test_an_unknown_state_is_refused():
    with pytest.raises(DocumentError, match="state: 'paused' is not a choice; use present, started"):
        wanted("paused")


# What needs a restart


def test_a_running_jail_is_not_restarted_unasked():
    planned = plan(wanted("started", command=["apache"]), STORED, RUNNING)
    assert kinds(planned) == ["document.write", "option.defer"]
    assert planned.restart_required
    assert planned.reasons == ("command: ['nginx'] -> ['apache'] needs a restart",)
    assert planned.actions[-1].path == "command"


def test_a_change_goes_on_waiting_and_is_no_change_meanwhile():
    stored = plan(wanted(command=["apache"]), STORED, RUNNING).after
    planned = plan(wanted("started"), stored, RUNNING)
    assert kinds(planned) == ["option.defer"]
    assert planned.restart_required
    assert not planned.changed


def test_a_change_that_is_taken_back_waits_no_longer():
    stored = plan(wanted(command=["apache"]), STORED, RUNNING).after
    planned = plan(wanted("started", command=["nginx"]), stored, RUNNING)
    assert kinds(planned) == ["document.write"]
    assert not planned.restart_required


def test_apply_restart_restarts_for_what_waits():
    planned = plan(wanted("started", command=["apache"]), STORED, RUNNING, "restart")
    assert kinds(planned) == ["document.write", "jail.stop", "jail.start"]
    assert not planned.restart_required
    assert planned.reasons


def test_apply_restart_restarts_nothing_without_need():
    assert kinds(plan(wanted("started", labels={"a": "b"}), STORED, RUNNING, "restart")) == ["document.write"]


def test_a_stopped_jail_is_not_started_by_apply_restart():
    assert kinds(plan(wanted(command=["apache"]), STORED, STOPPED, "restart")) == ["document.write"]


def test_a_frozen_jail_is_frozen_again_after_its_restart():
    planned = plan(wanted(command=["apache"]), STORED, FROZEN, "restart")
    assert kinds(planned) == ["document.write", "jail.thaw", "jail.stop", "jail.start", "jail.freeze"]


def test_a_restart_that_was_killed_halfway_is_finished():
    assert kinds(plan(wanted(), STORED, replace(STOPPED, restart_pending=True))) == ["jail.start"]
    assert kinds(plan(wanted("stopped"), STORED, replace(STOPPED, restart_pending=True))) == []


@pytest.mark.parametrize(
    "given",
    [
        {"labels": {"a": "b"}},
        {"depends": ["db1"]},
        {"autostart": True},
        {"restart": {"policy": "always"}},
        {"stop": {"timeout": 3}},
        {"hooks": [{"stage": "poststop", "command": ["/bin/true"]}]},
    ],
)
def test_what_is_read_when_its_time_comes_needs_no_restart(given):
    planned = plan(wanted("started", **given), STORED, RUNNING)
    assert kinds(planned) == ["document.write"]
    assert not planned.restart_required


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"hostname": "x"}, "hostname"),
        ({"environment": {"A": "b"}}, "environment.A"),
        ({"mounts": [{"source": "/srv", "target": "/srv"}]}, "mounts"),
        ({"rlimits": {"nofile": 9}}, "rlimits.nofile"),
        ({"caps": {"drop": ["CHOWN"]}}, "caps.drop"),
        ({"ip": {"dns": {"servers": ["192.0.2.1"]}}}, "ip.dns.servers"),
        ({"ip": {"mode": "host", "addresses": []}}, "ip.mode"),
    ],
)
def test_what_a_process_is_born_with_needs_a_restart(given, path):
    planned = plan(wanted("started", **given), STORED, RUNNING)
    assert planned.restart_required
    assert planned.reasons[0].startswith(f"{path}: ")


def test_secrets_do_not_show_in_reasons_and_lines():
    planned = plan(wanted("started", environment={"DB_PASSWORD": "hunter2"}), STORED, RUNNING)
    assert "hunter2" not in str(planned.reasons) + str(planned.lines())
    assert planned.reasons == ("environment.DB_PASSWORD: unset -> '********' needs a restart",)


# Limits


def test_limits_are_changed_while_the_jail_runs():
    planned = plan(wanted("started", limits={"memory": "1G", "pids": 9}), STORED, RUNNING)
    assert kinds(planned) == ["document.write", "limits.set"]
    assert planned.actions[1].arguments["limits"] == {"memory": "1G", "pids": 9}
    assert planned.actions[1].line() == "limits.set web1: limits.memory: '256M' -> '1G', limits.pids: unset -> 9"


def test_limits_that_were_changed_by_hand_are_set_again():
    assert kinds(plan(wanted("started"), STORED, replace(RUNNING, limits={"memory": "1G"}))) == ["limits.set"]
    assert kinds(plan(wanted("started"), STORED, replace(RUNNING, limits={"memory": "256M", "pids": 1}))) == [
        "limits.set"
    ]


def test_a_size_that_the_kernel_rounded_to_pages_is_no_drift():
    stored = {**STORED, "limits": {"memory": "300000001"}}
    live = replace(RUNNING, started=effective(stored), limits={"memory": "299999232"})
    assert kinds(plan(wanted("started"), stored, live)) == []


def test_the_kernels_default_weight_is_no_drift():
    stored = {**STORED, "limits": {"memory": "256M", "cpu_weight": 100}}
    assert kinds(plan(wanted("started"), stored, RUNNING)) == []


def test_a_limit_that_the_host_cannot_enforce_is_no_drift():
    stored = {**STORED, "limits": {"memory": "256M", "pids": 9}}
    assert kinds(plan(wanted("started"), stored, replace(RUNNING, unenforced=("pids",)))) == []


def test_devices_of_a_running_jail_are_changed_live():
    planned = plan(wanted(part="caps", caps={"devices": ["/dev/fuse"]}), STORED, RUNNING)
    assert kinds(planned) == ["document.write", "devices.change"]
    assert planned.actions[1].line() == "devices.change web1: caps.devices: [] -> [{'path': '/dev/fuse'}]"
    assert not planned.restart_required
    assert kinds(plan(wanted(part="caps", caps={"devices": ["none"]}), STORED, STOPPED)) == ["document.write"]


@pytest.mark.parametrize("part", ["jail", "caps"])
def test_a_running_jail_that_is_not_held_to_its_devices_is_held_again(part):
    assert kinds(plan(wanted(part=part), STORED, replace(RUNNING, devices=False))) == ["devices.change"]
    assert kinds(plan(wanted(part=part), STORED, replace(RUNNING, devices=True))) == []


def test_a_change_of_devices_that_was_cut_short_is_finished():
    document = {**STORED, "caps": {"devices": ["none"]}}
    assert kinds(plan(wanted(part="caps"), document, replace(RUNNING, devices=None))) == ["devices.change"]


def test_a_stopped_jail_has_no_limits_to_set():
    assert kinds(plan(wanted("present", limits={"pids": 9}), STORED, STOPPED)) == ["document.write"]


# Network


@pytest.mark.parametrize(
    ("network", "drift"),
    [
        (replace(NETWORK, addresses=()), "+10.20.0.11/32"),
        (replace(NETWORK, addresses=("10.20.0.11/32", "192.0.2.1/32")), "-192.0.2.1/32"),
        (replace(NETWORK, up=False), "incomplete"),
        (replace(NETWORK, mode="none"), "mode none -> vnet"),
    ],
)
@pytest.mark.parametrize("live", [STOPPED, RUNNING])
def test_a_network_that_was_changed_by_hand_is_repaired(network, drift, live):
    planned = plan(wanted("present"), STORED, replace(live, network=network))
    assert kinds(planned) == ["network.change"]
    assert drift in planned.actions[0].summary


def test_a_network_that_is_gone_is_made_again():
    assert kinds(plan(wanted("started"), STORED, replace(STOPPED, network=None))) == ["network.create", "jail.start"]


def test_addresses_of_a_running_jail_are_changed_live():
    planned = plan(wanted(part="ip", ip={"addresses": ["10.20.0.12"], "mtu": 1400}), STORED, RUNNING)
    assert kinds(planned) == ["document.write", "network.change"]
    assert planned.actions[1].summary == "+10.20.0.12/32, -10.20.0.11/32, mtu 1500 -> 1400"
    assert not planned.restart_required


def test_a_running_jail_keeps_its_network_until_it_restarts_without():
    given = {"ip": {"mode": "host", "addresses": []}}
    assert kinds(plan(wanted(part="ip", **given), STORED, RUNNING)) == ["document.write", "option.defer"]
    assert kinds(plan(wanted(part="ip", **given), STORED, RUNNING, "restart")) == [
        "document.write",
        "jail.stop",
        "network.remove",
        "jail.start",
    ]
    assert kinds(plan(wanted(part="ip", **given), STORED, STOPPED)) == ["document.write", "network.remove"]


SHARED = {"mode": "shared", "interface": "eth0", "addresses": ["10.20.0.11/32", "10.20.0.12/32"]}
SHARING = NetworkLive(mode="shared", addresses=("10.20.0.11/32", "10.20.0.12/32"))


def sharing(**ip):
    """A jail on the host's stack that runs, and its document."""
    document = {**STORED, "ip": {**SHARED, **ip}}
    return document, replace(RUNNING, started=effective(document), network=SHARING)


@pytest.mark.parametrize("mode", ["shared", "host"])
def test_from_its_own_network_to_the_hosts_a_jail_comes_by_a_restart(mode):
    given = {"mode": "host", "addresses": []} if mode == "host" else SHARED
    planned = plan(wanted(part="ip", ip=given), STORED, RUNNING)
    assert kinds(planned) == ["document.write", "option.defer"]
    assert planned.reasons[0].startswith("ip.mode: 'vnet' -> ")


def test_a_jail_on_the_hosts_stack_is_held_to_it_or_let_go_by_a_restart():
    document, running = sharing()
    planned = plan(
        wanted(part="ip", ip={"mode": "host", "addresses": [], "interface": ""}), document, running, "restart"
    )
    assert kinds(planned) == ["document.write", "jail.stop", "network.remove", "jail.start"]


def test_addresses_and_link_of_a_jail_on_the_hosts_stack_are_changed_live():
    document, running = sharing()
    for ip, summary in (
        ({"addresses": ["10.20.0.11", "10.20.0.13"]}, "+10.20.0.13/32, -10.20.0.12/32"),
        ({"addresses": ["10.20.0.12", "10.20.0.11"]}, "other order of addresses"),
        ({"interface": "eth1"}, "other interface"),
    ):
        planned = plan(wanted(part="ip", ip=ip), document, running)
        assert kinds(planned) == ["document.write", "network.change"]
        assert planned.actions[1].summary == summary
        assert not planned.restart_required


def test_other_capabilities_change_nothing_about_a_shared_network():
    document, running = sharing()
    planned = plan(wanted(part="caps", caps={"keep": ["NET_RAW"]}), document, running, "restart")
    assert kinds(planned) == ["document.write", "jail.stop", "jail.start"]


def test_a_network_gets_its_new_owner_between_stop_and_start():
    network = replace(NETWORK, own_user_namespace=False)
    task = wanted(part="caps", caps={"profile": "vps"})
    assert "network.change" not in kinds(plan(task, STORED, replace(RUNNING, network=network)))
    assert kinds(plan(task, STORED, replace(RUNNING, network=network), "restart")) == [
        "document.write",
        "jail.stop",
        "network.change",
        "jail.start",
    ]
    assert kinds(plan(task, STORED, replace(STOPPED, network=network))) == ["document.write", "network.change"]


# Root file system


def test_a_start_without_a_root_file_system_says_what_is_missing():
    text = refusal(wanted("started", command=["nginx"]), None, Live())
    assert text.startswith("jail web1: rootfs: there is no root file system to start from; say rootfs.source, or run")


def test_another_source_is_refused_unless_a_reset_is_asked_for():
    task = wanted(part="rootfs", rootfs={"source": {"template": "alpine"}})
    text = refusal(task, STORED, STOPPED)
    assert "rootfs.source: the root file system was made from template debian, not from template alpine" in text
    assert "jail_rootfs with state: reset" in text
    assert kinds(plan(replace(task, reset=True), STORED, STOPPED)) == ["document.write", "rootfs.reset"]


def test_a_source_with_its_defaults_said_is_the_same_source():
    stored = {**STORED, "rootfs": {"source": {"packages": {"variant": "minbase"}}}}
    assert kinds(plan(wanted("stopped"), stored, replace(STOPPED, rootfs={"packages": {}}))) == []


def test_packages_in_another_order_are_the_same_source():
    task = wanted(part="rootfs", rootfs={"source": {"packages": {"include": ["nginx-light", "curl"]}}})
    live = replace(STOPPED, rootfs={"packages": {"include": ["curl", "nginx-light"]}})
    assert kinds(plan(task, {"name": JAIL}, live)) == ["document.write"]


def test_a_reset_waits_for_a_running_jail_to_restart():
    task = wanted(part="rootfs", reset=True)
    planned = plan(task, STORED, RUNNING)
    assert kinds(planned) == ["option.defer"]
    assert planned.restart_required
    assert kinds(plan(task, STORED, RUNNING, "restart")) == ["jail.stop", "rootfs.reset", "jail.start"]


def test_a_reset_of_nothing_makes_it():
    assert kinds(plan(wanted(part="rootfs", reset=True), STORED, replace(STOPPED, rootfs=None))) == ["rootfs.create"]


def test_a_reset_keeps_what_it_replaces_only_if_it_is_told_to():
    for keep in (None, False, True):
        task = replace(wanted(part="rootfs", reset=True), keep_previous=keep)
        (action,) = plan(task, STORED, replace(STOPPED, previous={"empty": True})).actions
        assert (action.kind, action.arguments["keep"]) == ("rootfs.reset", keep is True)


def test_the_root_file_system_of_before_comes_back_with_its_source():
    kept = {"template": "alpine"}
    task = replace(wanted(part="rootfs", rootfs={"source": kept}), previous=True)
    live = replace(RUNNING, previous=kept)
    assert kinds(plan(task, STORED, live)) == ["document.write", "option.defer"]
    planned = plan(task, STORED, live, "restart")
    assert kinds(planned) == ["document.write", "jail.stop", "rootfs.restore", "jail.start"]
    assert planned.actions[2].line() == "rootfs.restore web1: to the one of before, from template alpine"
    assert planned.after["rootfs"] == {"source": kept}


def test_there_is_no_way_back_where_nothing_is_kept():
    text = refusal(replace(wanted(part="rootfs"), previous=True), STORED, STOPPED)
    assert text == (
        "jail web1: rootfs: no root file system of before is kept; say keep_previous: true when it is made anew"
    )


def test_what_is_kept_goes_when_it_is_given_up_and_at_no_other_time():
    live = replace(RUNNING, previous={"template": "debian"})
    for keep, expected in ((None, []), (True, []), (False, ["rootfs.forget"])):
        assert kinds(plan(replace(wanted(part="rootfs"), keep_previous=keep), STORED, live)) == expected


def test_what_is_given_up_does_not_wait_with_the_reset_of_a_running_jail():
    task = replace(wanted(part="rootfs", reset=True), keep_previous=False)
    waiting = plan(task, STORED, replace(RUNNING, previous={"template": "debian"}))
    assert waiting.restart_required
    assert "rootfs.forget" in kinds(waiting)
    assert "rootfs.forget" not in kinds(plan(task, STORED, replace(STOPPED, previous={"template": "debian"})))


def test_a_root_file_system_is_removed_only_when_its_section_is_taken_out():
    assert kinds(plan(wanted(part="rootfs", rootfs={}), STORED, STOPPED)) == ["document.write", "rootfs.remove"]
    without = {name: value for name, value in STORED.items() if name != "rootfs"}
    assert kinds(plan(wanted("stopped"), without, STOPPED)) == []
    assert "the jail runs on it; stop it first" in refusal(wanted(part="rootfs", rootfs={}), STORED, RUNNING)


# Parts


@pytest.mark.parametrize("part", ["caps", "rootfs"])
def test_a_task_about_one_part_repairs_no_other(part):
    drifted = replace(RUNNING, limits={}, network=replace(NETWORK, addresses=()))
    assert kinds(plan(wanted(part=part), STORED, drifted)) == []


def test_a_part_of_a_jail_that_does_not_exist_yet_makes_its_document():
    planned = plan(wanted(part="caps", caps={"profile": "none"}), None, Live())
    assert kinds(planned) == ["document.write"]
    assert planned.after == {"name": JAIL, "caps": {"profile": "none"}}


# A jail that is stuck

STUCK = replace(STOPPED, state="stuck", detail="process 17 (touch) is in uninterruptible sleep")


@pytest.mark.parametrize("task", [wanted("absent"), wanted("started"), wanted("restarted"), wanted(reset=True)])
def test_nothing_is_taken_from_under_processes_that_cannot_be_killed(task):
    text = refusal(task, STORED, STUCK)
    assert "state: the jail is stuck: process 17 (touch)" in text
    assert "say state: stopped" in text


def test_a_stuck_jail_can_be_tried_to_stop_again_and_its_document_be_changed():
    assert kinds(plan(wanted("stopped"), STORED, STUCK)) == ["jail.stop"]
    assert kinds(plan(wanted("present", labels={"a": "b"}), STORED, STUCK)) == ["document.write"]


def test_a_document_that_cannot_be_is_refused_before_anything_is_planned():
    assert "depends[0]: a jail cannot depend on itself" in refusal(wanted(depends=[JAIL]), STORED, RUNNING)
    refused = refusal(wanted(ip={"bridge": "br0", "parent": "eth0"}), STORED, RUNNING)
    assert "ip.parent: the jail is already on a bridge" in refused
