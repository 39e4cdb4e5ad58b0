# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner on a real host: drift is seen and repaired, check mode touches nothing, nobody is restarted unasked."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import places, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.tests.integration.jails import (
    TEMPLATE,
    Jail,
    converge,
    jail,
    jailctl,
    leftovers,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

SLEEP = ["sleep", "1000"]
CLONE = {"source": {"template": TEMPLATE}}


def everything(name: str) -> dict[str, Any]:
    """All that a task could change: files with their content and times, mounts, groups, processes, limits."""
    found: dict[str, Any] = {"world": leftovers(name), "allocations": Path(places.ALLOCATIONS).read_text()}
    for root in (places.DOCUMENTS, places.RUNTIME, places.LOGS, f"{places.STATE}/roots"):
        for directory, directories, names in os.walk(root):
            # The upper layer of a running jail is the jail's business, other jails are other tests'.
            directories[:] = [entry for entry in directories if entry not in ("upper", "work")]
            for entry in names + directories:
                path = os.path.join(directory, entry)
                if f"/{name}" in path:
                    status = os.lstat(path)
                    found[path] = (status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns, status.st_ino)
    return found


def check_changes_nothing(it: Jail, **task: Any) -> dict[str, Any]:
    before = everything(it.name)
    result = it.converge(check=True, **task)
    assert everything(it.name) == before
    return result


CHANGES: list[dict[str, Any]] = [
    {"state": "stopped"},
    {"state": "restarted"},
    {"state": "frozen"},
    {"state": "absent"},
    {"state": "started", "limits": {"pids": 30}},
    {"state": "started", "hostname": "other"},
    {"state": "started", "hostname": "other", "apply": "restart"},
    {"state": "started", "labels": {"a": "b"}},
    {"part": "rootfs", "reset": True, "apply": "restart"},
    {"part": "ip", "ip": {"mode": "vnet", "addresses": ["10.23.0.9/32"]}, "apply": "restart"},
]


def test_check_mode_says_what_the_run_does_and_changes_nothing() -> None:
    for change in CHANGES:
        with jail("eng-check", command=SLEEP) as it:
            foreseen = check_changes_nothing(it, **change)
            done = it.converge(**change)
            assert foreseen["actions"] == done["actions"], change
            assert foreseen["changed"] == done["changed"], change
            assert foreseen["restart_required"] == done["restart_required"], change
            assert foreseen["diff"] == done["diff"], change
            assert foreseen["jail"]["state"] == done["jail"]["state"], change


def test_check_mode_of_a_new_jail_makes_nothing_at_all() -> None:
    before = everything("eng-new")
    foreseen = converge("eng-new", state="started", check=True, rootfs=CLONE, command=SLEEP)
    assert everything("eng-new") == before
    with jail("eng-new", state=None) as it:
        it.converge(state="absent")
        assert converge("eng-new", state="started", rootfs=CLONE, command=SLEEP)["actions"] == foreseen["actions"]


def test_a_changed_host_name_waits_for_a_restart_and_says_why() -> None:
    with jail("eng-wait", command=SLEEP) as it:
        pid = it.pid
        waiting = it.converge(state="started", hostname="other.example.org")
        assert waiting["restart_required"]
        assert waiting["reasons"] == ["hostname: 'eng-wait' -> 'other.example.org' needs a restart"]
        assert waiting["changed"]
        assert it.pid == pid
        assert it.output("hostname") == "eng-wait\n"
        again = it.converge(state="started", hostname="other.example.org")
        assert (again["changed"], again["restart_required"]) == (False, True)
        done = it.converge(state="started", hostname="other.example.org", apply="restart")
        assert (done["changed"], done["restart_required"]) == (True, False)
        assert it.pid != pid
        assert it.output("hostname") == "other.example.org\n"
        assert not it.converge(state="started", apply="restart")["changed"]


def test_a_change_that_is_taken_back_waits_for_nothing() -> None:
    with jail("eng-wait", command=SLEEP) as it:
        assert it.converge(hostname="other")["restart_required"]
        assert not it.converge(hostname="eng-wait")["restart_required"]


def test_a_dead_jail_is_drift() -> None:
    with jail("eng-drift", command=SLEEP) as it:
        os.kill(it.pid, signal.SIGKILL)
        wait_until(lambda: it.state == "failed")
        seen = it.converge(state="started", check=True)
        assert (seen["changed"], seen["actions"]) == (True, ["jail.start eng-drift"])
        assert it.converge(state="started")["changed"]
        assert it.state == "running"


def test_a_failed_jail_can_be_declared_stopped() -> None:
    with jail("eng-drift", command=SLEEP) as it:
        os.kill(it.pid, signal.SIGKILL)
        wait_until(lambda: it.state == "failed")
        assert it.converge(state="stopped")["changed"]
        assert it.state == "stopped"
        assert not it.converge(state="stopped")["changed"]


def test_a_removed_root_file_system_and_a_removed_address_are_drift() -> None:
    with jail("eng-drift", command=SLEEP, ip={"mode": "vnet", "addresses": ["10.23.0.21/32"]}) as it:
        link = it.describe("network")["network"]["interface"]
        os.system(f"ip link delete {link}")
        assert not it.describe("network")["network"]["up"]
        repaired = it.converge(state="started")
        assert (repaired["changed"], repaired["restart_required"]) == (True, False)
        assert it.describe("network")["network"]["up"]
        it.converge(state="stopped")
        os.rename(f"{places.STATE}/roots/eng-drift", f"{places.STATE}/roots/.eng-gone")
        try:
            assert any(line.startswith("rootfs.create") for line in it.converge(state="started")["actions"])
        finally:
            os.system(f"rm -rf {places.STATE}/roots/.eng-gone")


def test_a_damaged_document_is_named_and_the_jail_goes_on() -> None:
    with jail("eng-damage", command=SLEEP) as it:
        document = Path(places.document("eng-damage"))
        right = document.read_text()
        document.write_text(right[: len(right) // 2])
        with pytest.raises(EngineError) as refusal:
            it.converge(state="started")
        assert str(document) in str(refusal.value)
        assert refusal.value.remedy
        listed = jailctl("status", "--json")
        document.write_text(right)
        assert listed.returncode == 0, listed.stderr
        row = next(row for row in json.loads(listed.stdout) if row["name"] == "eng-damage")
        assert row["state"] == "running"
        assert "not valid JSON" in row["message"]


def test_damaged_state_is_made_good_from_what_the_kernel_says() -> None:
    with jail("eng-damage", command=SLEEP) as it:
        it.converge(state="stopped")
        Path(places.state("eng-damage")).write_text("{")
        assert it.state == "stopped"
        it.converge(state="started")
        Path(places.state("eng-damage")).write_text("not json")
        assert it.state == "failed"
        it.converge(state="started")
        assert it.state == "running"
        assert json.loads(jailctl("list", "--json", "eng-damage").stdout)[0]["state"] == "running"


def test_a_jail_of_an_earlier_boot_is_stopped() -> None:
    with jail("eng-damage", command=SLEEP) as it:
        it.converge(state="stopped")
        path = Path(places.state("eng-damage"))
        path.write_text(json.dumps({**json.loads(path.read_text()), "phase": "running", "boot_id": "another"}))
        assert store.read_state("eng-damage") is None
        assert it.state == "stopped"


def test_what_a_task_does_not_say_stays() -> None:
    with jail("eng-parts", command=SLEEP, limits={"pids": 40}, labels={"a": "b"}) as it:
        it.converge(part="caps", caps={"profile": "service", "keep": ["SYS_PTRACE"]}, apply="restart")
        it.converge(labels={})
        document = store.read_document("eng-parts") or {}
        assert document["command"] == SLEEP
        assert document["limits"] == {"pids": 40}
        assert document["caps"]["keep"] == ["SYS_PTRACE"]
        assert "labels" not in document


def test_jails_that_others_depend_on_start_first() -> None:
    with (
        jail("eng-db", state="stopped", command=SLEEP) as database,
        jail("eng-web", state=None, command=SLEEP, depends=["eng-db"]) as web,
    ):
        done = jailctl("start", "eng-web")
        assert (done.returncode, done.stderr) == (0, "")
        assert (database.state, web.state) == ("running", "running")
        done = jailctl("stop", "eng-db", "eng-web")
        assert (done.returncode, database.state, web.state) == (0, "stopped", "stopped")


def test_boot_starts_what_is_to_start_with_the_host() -> None:
    with (
        jail("eng-boot", state="stopped", command=SLEEP, autostart=True) as wanted,
        jail("eng-idle", state="stopped", command=SLEEP) as other,
    ):
        assert jailctl("boot").returncode == 0
        assert (wanted.state, other.state) == ("running", "stopped")


@pytest.mark.parametrize("state", ["started", "stopped", "frozen", "restarted"])
def test_a_jail_without_a_root_is_refused_before_anything_is_done(state: str) -> None:
    before = leftovers("eng-none")
    if state == "stopped":
        converge("eng-none", state="absent")
        return
    with pytest.raises(DocumentError) as refusal:
        converge("eng-none", state=state)
    assert (refusal.value.path, refusal.value.jail) == ("rootfs", "eng-none")
    assert leftovers("eng-none") == before


def test_an_unknown_template_is_named_with_those_that_there_are() -> None:
    before = leftovers("eng-none")
    with pytest.raises((EngineError, DocumentError)) as refusal:
        converge("eng-none", state="started", rootfs={"source": {"template": "eng-nope"}})
    assert refusal.value.path == "rootfs.source.template"
    assert TEMPLATE in str(refusal.value)
    assert leftovers("eng-none") == before


def test_removing_what_is_not_there_changes_nothing() -> None:
    assert not converge("eng-none", state="absent")["changed"]


def test_a_failed_hook_keeps_a_jail_from_starting_and_a_good_one_knows_its_jail(tmp_path: Path) -> None:
    with jail("eng-hook", state="stopped", command=SLEEP) as it:
        hooks = [{"stage": "prestart", "command": ["/bin/false"]}]
        with pytest.raises(EngineError) as refusal:
            it.converge(state="started", hooks=hooks)
        assert refusal.value.path == "hooks[0]"
        assert it.state in ("stopped", "failed")
        note = tmp_path / "note"
        stages = ("prestart", "poststart", "prestop", "poststop")
        hooks = [
            {"stage": stage, "command": ["/bin/sh", "-c", f"echo {stage} $JAIL_NAME ${{JAIL_PID:+alive}} >> {note}"]}
            for stage in stages
        ]
        it.converge(state="started", hooks=hooks)
        it.converge(state="stopped")
        assert note.read_text().split("\n") == [
            "prestart eng-hook",
            "poststart eng-hook alive",
            "prestop eng-hook alive",
            "poststop eng-hook",
            "",
        ]


def test_a_hook_inside_the_jail_runs_there() -> None:
    hooks = [{"stage": "poststart", "where": "jail", "command": ["sh", "-c", "hostname > /run/hook"]}]
    with jail("eng-hook", command=SLEEP, hooks=hooks) as it:
        assert it.output("cat", "/run/hook") == "eng-hook\n"


def test_a_hook_that_hangs_is_killed_in_its_time() -> None:
    hooks = [{"stage": "prestart", "command": ["/bin/sleep", "100"], "timeout": 1}]
    with jail("eng-hook", state="stopped", command=SLEEP) as it:
        with pytest.raises(EngineError) as refusal:
            it.converge(state="started", hooks=hooks)
        assert refusal.value.path == "hooks[0]"
