# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets on the real kernel: made, left alone, mended, isolated from each other's failures."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import places, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet import helpers
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.modules.fleets import (
    DEFAULTS,
    FLEET,
    PREFIX,
    SLEEP,
    actions,
    changed,
    document,
    done,
    failed,
    fleet,
    jail,
    member,
    names,
    refused,
    states,
    vnet,
)

pytestmark = pytest.mark.usefixtures("no_jails")

CREATION = ["document.write", "rootfs.create", "network.create", "jail.start"]


def test_a_fleet_is_made_at_once_and_then_left_alone() -> None:
    entries = [
        member("w[1:4]", ip={"mode": "vnet", "addresses": ["10.30.0.[1:4]/32", "fd00:30::[1:4]/128"]}),
        member("idle", state="stopped"),
    ]
    foreseen = done(*entries, check=True)
    assert names() == []
    made = done(*entries)
    assert actions(made) == actions(foreseen)
    assert actions(made)["w1"] == CREATION
    assert states(made) == states(foreseen) == {**dict.fromkeys(["w1", "w2", "w3", "w4"], "running"), "idle": "stopped"}
    assert made["summary"] == {"total": 5, "changed": 5, "failed": 0, "restart_required": 0, "purged": 0}
    assert [jail(name).state for name in ("w1", "w4", "idle")] == ["running", "running", "stopped"]
    assert "10.30.0.3/32" in jail("w3").output("ip", "-brief", "address", "show", "eth0")
    with pytest.raises(ConnectionRefusedError):  # by the jail's own stack, on a port that nobody listens on
        socket.create_connection(("10.30.0.4", 9), timeout=jails.PATIENCE)
    for check in (False, True):
        again = done(*entries, check=check)
        assert (again["changed"], actions(again)) == (False, {})


def test_every_jail_has_numbers_of_its_own() -> None:
    done(member("n[1:9]"))
    found = [jail(f"n{number}").describe()["id"] for number in range(1, 10)]
    assert len(set(found)) == 9


def test_a_document_of_a_fleet_is_whole() -> None:
    done(member("a", labels={"customer": "acme"}, hostname="www"))
    assert document("a")["labels"] == {"customer": "acme", "fleet": FLEET}
    again = done(member("a"), apply="restart")
    assert changed(again) == ["a"]
    assert "hostname" not in document("a")
    assert document("a")["labels"] == {"fleet": FLEET}
    assert jail("a").output("hostname") == f"{PREFIX}a\n"


@pytest.mark.parametrize("fewest", [3, 25], ids=["seen by several processes", "seen by one"])
def test_exactly_the_damage_is_repaired(fewest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helpers, "_FEWEST", fewest)
    entries = [member(f"d{number}", number) for number in range(1, 7)]
    done(*entries)
    pids = {number: jail(f"d{number}").pid for number in range(1, 7)}
    os.kill(pids[1], signal.SIGKILL)
    jails.wait_until(lambda: jail("d1").state == "failed", what="the supervisor to notice")
    subprocess.run(["ip", "route", "del", "10.30.0.2/32"], check=True)
    (Path(jail("d3").cgroup.directory("pids")) / "pids.max").write_text("7")
    Path(places.document(f"{PREFIX}d4")).unlink()
    foreseen = done(*entries, check=True)
    mended = done(*entries)
    assert (
        actions(mended)
        == actions(foreseen)
        == {
            "d1": ["jail.start"],
            "d2": ["network.change"],
            "d3": ["limits.set"],
            "d4": ["document.write"],
        }
    )
    assert not done(*entries)["changed"]
    assert {number: jail(f"d{number}").pid for number in range(2, 7)} == {n: pids[n] for n in range(2, 7)}
    assert jail("d1").state == "running"


def test_what_needs_a_restart_waits_for_one_and_says_why() -> None:
    entries = [member("r1"), member("r2", hostname="old")]
    done(*entries)
    pids = [jail("r1").pid, jail("r2").pid]
    waiting = done(member("r1"), member("r2", hostname="new"))
    row = waiting["jails"][1]
    assert (changed(waiting), row["restart_required"]) == (["r2"], True)
    assert row["reasons"] == ["hostname: 'old' -> 'new' needs a restart"]
    assert waiting["summary"]["restart_required"] == 1
    assert not done(member("r1"), member("r2", hostname="new"))["changed"]
    assert [jail("r1").pid, jail("r2").pid] == pids
    applied = done(member("r1"), member("r2", hostname="new"), apply="restart")
    assert actions(applied) == {"r2": ["jail.stop", "jail.start"]}
    assert jail("r2").output("hostname") == "new\n"


def test_states_of_one_task_may_differ() -> None:
    done(member("s[1:5]"))
    pid = jail("s5").pid
    result = done(
        member("s1", state="absent"),
        member("s2", state="stopped"),
        member("s3", state="frozen"),
        member("s4", state="present"),
        member("s5", state="restarted"),
        member("s6", state="present"),
    )
    assert states(result) == {
        "s1": "absent",
        "s2": "stopped",
        "s3": "frozen",
        "s4": "running",
        "s5": "running",
        "s6": "stopped",
    }
    assert changed(result) == ["s1", "s2", "s3", "s5", "s6"]
    assert jail("s5").pid != pid
    assert names() == ["s2", "s3", "s4", "s5", "s6"]
    assert changed(done(member("s3"))) == ["s3"]
    assert jail("s3").state == "running"


def test_one_jails_failure_is_its_own(tmp_path: Path) -> None:
    result = fleet(
        member("good1"),
        member("ends", command=["sh", "-c", "exit 3"]),
        member("misspelt", command=["ngnix"]),
        member("nowhere", mounts=[{"source": str(tmp_path / "gone"), "target": "/srv"}]),
        member("hooked", hooks=[{"stage": "prestart", "command": ["/bin/false"]}]),
        member("unready", hooks=[{"stage": "poststart", "where": "jail", "command": ["false"]}]),
        member("good2"),
    )
    assert result["failed"]
    why = failed(result)
    assert list(why) == ["ends", "misspelt", "nowhere", "hooked", "unready"]
    assert "status 3" in why["ends"]
    assert "jailctl logs" in why["ends"]
    rows = {row["name"]: row for row in result["jails"]}
    assert rows[f"{PREFIX}ends"]["path"] == "jails[1].command"
    assert rows[f"{PREFIX}misspelt"]["path"] == "jails[2].command[0]"
    assert rows[f"{PREFIX}nowhere"]["path"] == "jails[3].mounts[0].source"
    assert rows[f"{PREFIX}hooked"]["path"] == "jails[4].hooks[0]"
    assert not rows[f"{PREFIX}nowhere"]["changed"]
    assert all(rows[f"{PREFIX}{name}"]["remedy"] for name in ("ends", "misspelt", "nowhere"))
    assert [jail(name).state for name in ("good1", "good2", "ends", "unready")] == [
        "running",
        "running",
        "failed",
        "failed",
    ]
    assert result["msg"].startswith("5 of 7 jails failed, the others are done:\n")
    assert result["summary"]["failed"] == 5


def test_a_damaged_document_is_written_anew_with_a_warning() -> None:
    done(member("a"), member("b"))
    path, pid = Path(places.document(f"{PREFIX}a")), jail("a").pid
    good = path.read_text()
    path.write_text("{")
    result = done(member("a"), member("b", limits={"pids": 20}))
    assert changed(result) == ["a", "b"]
    assert [str(path) in warning for warning in result["warnings"]] == [True]
    assert (path.read_text(), jail("a").pid) == (good, pid)


def test_a_jail_without_the_label_is_taken_over_and_that_of_another_fleet_is_not() -> None:
    jail("lonely").converge(state="started", command=SLEEP, rootfs=DEFAULTS["rootfs"])
    done(member("theirs"), fleet="another")
    pid = jail("lonely").pid
    mistakes = refused(member("lonely"), member("theirs"), member("gone", state="absent"))
    assert list(mistakes) == ["jails[1].name"]
    assert "belongs to fleet another" in mistakes["jails[1].name"]
    assert "labels" not in document("lonely")
    taken = done(member("lonely", limits={}, stop={}), defaults={**DEFAULTS, "limits": None, "stop": None})
    assert actions(taken) == {"lonely": ["document.write"]}
    assert (document("lonely")["labels"], jail("lonely").pid) == ({"fleet": FLEET}, pid)
    assert list(refused(member("lonely", state="absent"), fleet="another")) == ["jails[0].name"]


def test_everything_wrong_is_told_before_anything_is_done() -> None:
    done(member("there", 1), fleet="another")
    before = jails.leftovers(PREFIX)
    mistakes = refused(
        member("a", 2),
        member("b", ip={"mode": "vnet", "addresses": ["10.30.0.7/32", "10.30.0.2/32"]}),
        member("f", depends=[f"{PREFIX}g"]),
        member("g", depends=[f"{PREFIX}f"]),
        member("a"),
    )
    assert list(mistakes) == ["jails[1].ip.addresses[1]", "jails[4].name", "jails[2].depends"]
    mistakes = refused(
        member("c", 1),
        member("d", rootfs={"source": {"template": "fleet-none"}}),
        member("e", depends=[f"{PREFIX}nobody"]),
        member("h", ip=LOCAL),
    )
    assert set(mistakes) == {
        "jails[0].ip.addresses[0]",
        "jails[0].ip.addresses[1]",
        "jails[1].rootfs.source.template",
        "jails[2].depends[0]",
        "jails[3].ip.addresses[0]",
    }
    assert f"jail {PREFIX}there" in mistakes["jails[0].ip.addresses[0]"]
    assert "address of this host" in mistakes["jails[3].ip.addresses[0]"]
    assert jails.leftovers(PREFIX) == before


LOCAL = {"mode": "vnet", "addresses": ["10.30.255.1/32"]}


@pytest.fixture(autouse=True)
def _address_of_the_host() -> object:
    subprocess.run(["ip", "address", "add", "10.30.255.1/32", "dev", "lo"], check=True)
    yield
    subprocess.run(["ip", "address", "del", "10.30.255.1/32", "dev", "lo"], check=True)


def test_addresses_move_from_jail_to_jail_in_one_task() -> None:
    done(member("m1", 1), member("m2", 2), member("m3", 3))
    pids = [jail(name).pid for name in ("m1", "m2")]
    swapped = [member("m1", 2), member("m2", 1), member("m4", 3), member("m3", state="absent")]
    done(*swapped)
    assert "10.30.0.2/32" in jail("m1").output("ip", "-brief", "address", "show", "eth0")
    assert "10.30.0.1/32" in jail("m2").output("ip", "-brief", "address", "show", "eth0")
    assert "10.30.0.3/32" in jail("m4").output("ip", "-brief", "address", "show", "eth0")
    assert [jail(name).pid for name in ("m1", "m2")] == pids
    assert not done(*swapped)["changed"]


def test_check_mode_touches_nothing() -> None:
    done(member("a", 1), member("b", 2))
    before = _everything()
    wishes = [member("a", 3, limits={"pids": 9}), member("b", state="absent"), member("c", 2), member("d")]
    foreseen = done(*wishes, check=True, diff=True, apply="restart")
    assert len(changed(foreseen)) == 4
    assert _everything() == before


def _everything() -> list[tuple[str, int, int]]:
    """All files of the engine with their identities and times, and all links and addresses of the host."""
    found = []
    for top in (places.DOCUMENTS, places.STATE, places.RUNTIME, places.LOGS):
        for directory, _unused, files in os.walk(top):
            for path in [directory, *(f"{directory}/{name}" for name in files)]:
                if "/templates/" not in path:
                    status = os.lstat(path)
                    found.append((path, status.st_ino, status.st_mtime_ns))
    for command in ("link", "address", "route"):
        output = subprocess.run(["ip", "-o", command], check=True, capture_output=True, text=True).stdout
        found += [(line, 0, 0) for line in output.splitlines() if "10.30." in line or "jl" in line]
    return sorted(item for item in found if _is_ours(item[0]))


def _is_ours(text: str) -> bool:
    return PREFIX in text or not text.startswith("/")


def test_differences_are_of_what_changes_and_hide_secrets() -> None:
    done(member("a"), member("b", environment={"DB_PASSWORD": "hunter2"}))
    result = done(member("a"), member("b", environment={"DB_PASSWORD": "hunter3"}), diff=True)
    (difference,) = result["diff"]
    assert difference["after_header"] == f"{PREFIX}b after"
    assert "hunter" not in str(result)
    assert "changed" in difference["after"]["environment"]["DB_PASSWORD"]


def test_more_than_a_hundred_jails_in_one_task() -> None:
    entry = member("h[001:120]", ip={"mode": "vnet", "addresses": ["10.30.1.[1:120]/32"]})
    made = done(entry)
    assert set(states(made).values()) == {"running"}
    assert made["summary"]["changed"] == 120
    assert not done(entry)["changed"]
    assert len(str(done(entry, verbose_results=False))) < 120 * 150
    gone = done({**entry, "ip": None, "state": "absent"})
    assert gone["summary"]["changed"] == 120
    assert names() == []


def test_two_fleets_at_once_do_not_get_into_each_others_way() -> None:
    pids = []
    for number in range(2):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                result = fleet(member(f"t{number}[1:8]"), fleet=f"fleet-{number}")
                code = int(result["failed"])
            finally:
                os._exit(code)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    assert len({jail(name).describe()["id"] for name in names()}) == 16


def test_the_same_task_twice_at_once_is_done_once() -> None:
    entries = [member(f"o{number}", number) for number in range(1, 9)]
    pids = []
    for _unused in range(2):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = int(fleet(*entries)["failed"])
            finally:
                os._exit(code)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    assert not done(*entries)["changed"]
    for number in range(1, 9):
        jails.wait_until(lambda name=f"{PREFIX}o{number}": len(jails.processes_of(name)) == 2, what="init and command")


def test_no_number_is_left_behind_by_a_jail_that_is_gone() -> None:
    done(member("x", 9))
    done(member("x", state="absent"))
    assert store.read_document(f"{PREFIX}x") is None
    assert (
        vnet(9)["addresses"][0]
        not in subprocess.run(["ip", "route"], check=True, capture_output=True, text=True).stdout
    )
