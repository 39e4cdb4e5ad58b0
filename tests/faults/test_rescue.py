# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever becomes of a file of a jail: it can be stopped and removed, and the other jails are none the worse."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import report, status, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.cli.main import main as jailctl
from ansible_collections.hosting.jails.tests.faults.tasks import NAME, run, stride, task, whole_jail
from ansible_collections.hosting.jails.tests.faults.test_fleet import fleet
from ansible_collections.hosting.jails.tests.faults.test_records import DAMAGES
from ansible_collections.hosting.jails.tests.faults.world import settled, strays
from ansible_collections.hosting.jails.tests.integration.jails import wait_until

OTHER = "flt-b"
BOTH = {NAME: whole_jail(autostart=True), OTHER: whole_jail(2)}
DOCUMENT = Path(f"/etc/jails/{NAME}.json")
ROOT = Path(f"/var/lib/jails/roots/{NAME}/rootfs.json")
TEMPLATE = Path("/var/lib/jails/templates/flt")
ALLOCATIONS = Path("/var/lib/jails/allocations.json")
FILES: dict[str, Callable[[], Path]] = {
    "document": lambda: DOCUMENT,
    "root": lambda: ROOT,
    "state": lambda: Path(f"/run/jails/{NAME}/state.json"),
    "started": lambda: Path(f"/run/jails/{NAME}/started.json"),
    "ceiling": lambda: Path(f"/run/jails/{NAME}/ceiling.json"),
    "ending": lambda: Path(f"/run/jails/{NAME}/ended.json"),
    "addresses": lambda: Path(f"/run/jails/{NAME}/addresses.json"),
    "rules": lambda: Path(f"/run/jails/{NAME}/rules"),
    "log": lambda: Path(f"/var/log/jails/{NAME}.log"),
    "template": lambda: next(TEMPLATE.glob("*/manifest.json")),
    "current": lambda: TEMPLATE / "current",
}
# What is made anew, or was worth nothing: no task needs it.
HEALED = ("state", "started", "ceiling", "ending", "addresses", "rules", "log", "current")
EVERYTHING = ("status", "processes", "resources", "network", "privileges", "disk", "document")
GATHERED = ("name", "state", "message")


def damage_of(path: Path, content: bytes | None) -> None:
    """Put other content in the place of a file, or a directory."""
    if path.is_dir():
        shutil.rmtree(path)
    if content is None:
        path.unlink(missing_ok=True)
        path.mkdir()
    else:
        path.write_bytes(content)


def kinds(path: Path) -> dict[str, bytes | None]:
    """All kinds of damage, with one that is right but for the types of its values."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        record = {}
    wrong = {name: ["?"] if isinstance(value, str) else "?" for name, value in record.items()}
    kept = {name: record[name] for name in ("boot_id", "version", "format", "name") if name in record}
    return {**DAMAGES, "other types": json.dumps({**wrong, **kept}).encode(), "a directory": None}


def done(attempt: Callable[[], Any]) -> Any:
    outcome = run(attempt)
    assert not outcome.failure, outcome.failure
    assert strays() == []
    return outcome


def made() -> None:
    for name, options in BOTH.items():
        assert done(task(name=name, **options)).state == "running"


def said_by_jailctl(*words: str) -> tuple[int, str]:
    """Exit status, and what it complains about."""
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())), contextlib.redirect_stderr(errors):
        return jailctl(["jailctl", *words]), errors.getvalue()


def others_are_none_the_worse() -> None:
    rows = done(lambda: {"rows": report.describe_all(sorted(BOTH), EVERYTHING)}).result["rows"]
    assert {name: rows[1][name] for name in GATHERED} == {"name": OTHER, "state": "running", "message": ""}
    assert rows[1]["network"]["up"] and rows[1]["disk"]["template"] == "flt"
    for words in (("list",), ("status",), ("stat",), ("restart", OTHER)):
        assert done(lambda words=words: {"said": said_by_jailctl(*words)}).result["said"][0] == 0, words
    done(task("present", name=OTHER, ip={"mode": "vnet", "addresses": ["10.22.0.9/32", "10.22.0.3/32"]}))
    done(task("present", name=OTHER, ip=BOTH[OTHER]["ip"]))
    assert status.run_state(OTHER) == "running"


@pytest.mark.parametrize("number", range(len(FILES)), ids=FILES)
def test_a_jail_with_a_damaged_file_can_be_stopped_and_removed_beside_others(before: list[str], number: int) -> None:
    which = list(FILES)[number]
    made()
    damages = list(kinds(FILES[which]() if which not in ("ending",) else DOCUMENT))
    for kind in damages[number % stride(5) :: stride(5)]:
        made()
        path = FILES[which]()
        good = path.read_bytes() if path.is_file() else None
        damage_of(path, kinds(path)[kind])
        others_are_none_the_worse()
        refused = run(task("present", limits={"pids": 60})).failure
        assert not refused or (which not in HEALED and path.name in refused and ";" in refused), (kind, refused)
        assert not refused or which == "template" or f"jail {NAME}" in refused, (kind, refused)
        stopped = done(task("stopped"))
        assert stopped.state == "stopped", kind
        assert (status.run_state(NAME), status.group(NAME).processes()) == ("stopped", []), kind
        assert not done(task("stopped")).changed, kind
        if refused:
            assert any(path.name in warning for warning in stopped.result["warnings"]), kind
        again = run(task(**BOTH[NAME]))
        assert not again.failure or path.name in again.failure, (kind, again.failure)
        done(task("absent", check=True))
        done(task("absent"))
        if which in ("template", "current") and good is not None:
            damage_of(path, good)
        assert not DOCUMENT.exists() and not ROOT.parent.exists() and not Path(f"/run/jails/{NAME}").exists(), kind
        assert status.run_state(OTHER) == "running"
    done(task("absent", name=OTHER))
    assert settled(before) == []


def test_a_jail_with_a_damaged_document_stops_as_it_was_started(before: list[str]) -> None:
    script = "trap 'echo graceful; exit 0' USR1; echo ready; while :; do sleep 0.1; done"
    options = whole_jail(command=["/bin/sh", "-c", script], stop={"signal": "SIGUSR1", "timeout": 30})
    hook = {"stage": "poststop", "command": ["/bin/touch", "/run/poststop"]}
    done(task(**{**options, "hooks": [hook]}))
    log = FILES["log"]()
    wait_until(lambda: log.exists() and "ready" in log.read_text())
    DOCUMENT.write_bytes(b'{"name": "fl')
    done(task("stopped"))
    assert os.path.exists("/run/poststop")
    wait_until(lambda: "graceful" in log.read_text())
    os.unlink("/run/poststop")
    assert DOCUMENT.read_bytes() == b'{"name": "fl'
    done(task("absent"))
    assert settled(before) == []


@pytest.mark.parametrize("damage", [b"{", b'{"command": 5}'], ids=["cut short", "wrong types"])
def test_a_jail_that_ends_beside_its_damaged_document_does_not_take_the_supervisor_along(
    before: list[str], damage: bytes
) -> None:
    done(task(**whole_jail(restart={"policy": "always", "delay": 0})))
    done(task(name=OTHER, **whole_jail(2, restart={"policy": "always", "delay": 0})))
    good = DOCUMENT.read_bytes()
    DOCUMENT.write_bytes(damage)
    first = {name: store.read_state(name).pid for name in BOTH}
    for pid in first.values():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: store.read_state(OTHER).pid not in (0, first[OTHER]) and status.run_state(OTHER) == "running")
    wait_until(lambda: status.run_state(NAME) == "failed" and not store.read_state(NAME).pid)
    assert str(DOCUMENT) in done(lambda: report.describe(NAME)).result["message"]
    DOCUMENT.write_bytes(good)
    assert done(task()).state == "running"
    for name in BOTH:
        done(task("absent", name=name))
    assert settled(before) == []


def test_a_damaged_document_is_named_with_what_helps_by_all_that_goes_on_without_it(before: list[str]) -> None:
    made()
    done(task("present", name=OTHER, depends=[NAME]))
    DOCUMENT.write_bytes(b'{"name": "fl')
    row = done(lambda: report.describe(NAME)).result
    assert (row["state"], str(DOCUMENT) in row["message"]) == ("running", True)
    moved = done(task("present", name=OTHER, ip={"mode": "vnet", "addresses": ["10.22.0.9/32"]}))
    (warning,) = moved.result["warnings"]
    assert f"jail {NAME}" in warning and str(DOCUMENT) in warning and "restore it from a copy" in warning
    for words, status_then in (
        (("list",), 0),
        (("stop", OTHER), 0),
        (("start", OTHER), 0),
        (("start", NAME), 1),
        (("boot",), 1),
    ):
        found, said = done(lambda words=words: {"said": said_by_jailctl(*words)}).result["said"]
        assert (found, str(DOCUMENT) in said) == (status_then, True), (words, said)
    assert done(lambda: {"said": said_by_jailctl("stop", NAME)}).result["said"][0] == 0
    assert status.run_state(NAME) == "stopped"
    for name in (OTHER, NAME):
        done(task("absent", name=name))
    assert settled(before) == []


def test_a_directory_with_something_in_the_place_of_a_document_is_refused_before_the_first_change(
    before: list[str],
) -> None:
    done(task(**BOTH[NAME]))
    damage_of(DOCUMENT, None)
    (DOCUMENT / "precious").touch()
    failure = run(task("absent")).failure
    assert f"jail {NAME}" in failure and str(DOCUMENT) in failure
    assert status.run_state(NAME) == "running"
    (DOCUMENT / "precious").unlink()
    done(task("absent"))
    assert settled(before) == []


def test_a_damaged_list_of_numbers_keeps_no_jail_from_being_stopped(before: list[str]) -> None:
    made()
    good = ALLOCATIONS.read_bytes()
    for damage in (b"", b"[]", b'{"flt-a": {"index": "one"}}', b'{"flt-a": {"index": -1}}', None):
        damage_of(ALLOCATIONS, damage)
        rows = done(lambda: {"rows": report.describe_all(sorted(BOTH))}).result["rows"]
        assert [row["state"] for row in rows] == ["running", "running"]
        for name in (OTHER, NAME):
            assert done(task("stopped", name=name)).state == "stopped"
        failure = run(task("absent")).failure
        assert "allocations.json" in failure and DOCUMENT.exists() and ROOT.exists()
        damage_of(ALLOCATIONS, good)
        made()
    ALLOCATIONS.unlink()
    assert "allocations.json" in run(task(name="flt-c", **whole_jail(3))).failure
    # As docs/operating.md has it.
    bases = {name: json.loads((ROOT.parent.parent / name / "rootfs.json").read_bytes())["uid_base"] for name in BOTH}
    ALLOCATIONS.write_text(json.dumps({name: {"index": (base - 524288) // 65536} for name, base in bases.items()}))
    assert json.loads(ALLOCATIONS.read_bytes()) == json.loads(good)
    for name in (OTHER, NAME):
        done(task("absent", name=name))
    assert settled(before) == []


def test_a_fleet_writes_a_damaged_document_anew_and_purges_nothing_that_it_cannot_read(before: list[str]) -> None:
    rows = [{"name": name, **options} for name, options in BOTH.items()]
    done(fleet(*rows))
    good = DOCUMENT.read_bytes()
    # What says nothing is a document.
    damages = {kind: damage for kind, damage in kinds(DOCUMENT).items() if kind != "an empty object"}
    for kind, damage in list(damages.items())[:: stride(4)]:
        damage_of(DOCUMENT, damage)
        init = store.read_state(NAME)
        kept = done(fleet({"name": OTHER, **whole_jail(2)}, purge="absent")).result
        assert [row["name"] for row in kept["jails"]] == [OTHER], kind
        assert str(DOCUMENT) in kept["warnings"][0], kind
        repaired = done(fleet(*rows)).result
        assert str(DOCUMENT) in repaired["warnings"][0], kind
        assert DOCUMENT.read_bytes() == good
        assert store.read_state(NAME) == init
        assert not done(fleet(*rows)).changed
    DOCUMENT.write_bytes(b"{")
    done(fleet(*({"name": name, "state": "absent"} for name in BOTH)))
    assert settled(before) == []
