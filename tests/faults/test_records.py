# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the engine are damaged, edited, replaced by links, of another version: said clearly, or healed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import report
from ansible_collections.hosting.jails.tests.faults.tasks import NAME, run, task, whole_jail
from ansible_collections.hosting.jails.tests.faults.world import settled

DEFINED = task(**whole_jail())
DOCUMENT = Path(f"/etc/jails/{NAME}.json")
STATE = Path(f"/run/jails/{NAME}/state.json")
STARTED = Path(f"/run/jails/{NAME}/started.json")
CEILING = Path(f"/run/jails/{NAME}/ceiling.json")
ALLOCATIONS = Path("/var/lib/jails/allocations.json")

DAMAGES = {
    "empty": b"",
    "cut short": b'{"phase": "runn',
    "not text": b"\xff\xfe\x00\x01",
    "zeroes": b"\0" * 4096,
    "a list": b"[1, 2]",
    "a number": b"7",
    "null": b"null",
    "an empty object": b"{}",
    "nested beyond measure": b"[" * 200_000,
    "wrong types": b'{"phase": 5, "pid": "x", "index": [], "version": 1, "name": 7, "flt-a": 3}',
    "another version": b'{"version": 99, "format": 99, "flt-a": {"index": "one"}}',
}
DAMAGED = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


@DAMAGED
def test_a_damaged_record_of_privileges_is_told_of_and_hides_nothing_else(before: list[str], damage: bytes) -> None:
    assert run(DEFINED).state == "running"
    CEILING.write_bytes(damage)
    described = run(lambda: report.describe(NAME, ("status", "privileges")))
    assert not described.failure
    assert str(CEILING) in described.result["privileges"]["message"]
    assert described.result["state"] == "running"
    assert not run(task("absent")).failure
    assert settled(before) == []


@pytest.mark.parametrize("damage", [DAMAGES[name] for name in DAMAGES if name != "an empty object"])
def test_damaged_allocations_are_an_error_and_never_given_out_twice(before: list[str], damage: bytes) -> None:
    assert not run(task(name="flt-b", **whole_jail(2))).failure
    good = ALLOCATIONS.read_bytes()
    ALLOCATIONS.write_bytes(damage)
    outcome = run(DEFINED)
    assert "allocations.json" in outcome.failure
    assert run(task("absent", name="flt-b")).failure
    ALLOCATIONS.write_bytes(good)
    for name in (NAME, "flt-b"):
        assert not run(task("absent", name=name)).failure
    assert settled(before) == []


def test_a_document_with_an_unknown_key_is_an_error_with_its_path(before: list[str]) -> None:
    assert run(DEFINED).state == "running"
    document = json.loads(DOCUMENT.read_text())
    DOCUMENT.write_text(json.dumps({**document, "limts": {"memory": "1G"}}))
    failure = run(task("present")).failure
    assert NAME in failure and "limts" in failure
    DOCUMENT.write_text(json.dumps(document))
    assert not run(task("absent")).failure
    assert settled(before) == []


def test_a_document_of_another_jail_that_is_damaged_does_not_keep_this_one_from_starting(before: list[str]) -> None:
    Path("/etc/jails/flt-b.json").write_bytes(b"{")
    outcome = run(DEFINED)
    assert not outcome.failure, outcome.failure
    Path("/etc/jails/flt-b.json").unlink()
    assert not run(task("absent")).failure
    assert settled(before) == []


def test_records_that_are_links_are_replaced_and_what_they_point_to_is_left_alone(before: list[str]) -> None:
    victim = Path("/var/lib/victim")
    victim.write_text("precious")
    assert run(DEFINED).state == "running"
    for path in (STATE, STARTED, Path(f"/var/log/jails/{NAME}.log"), Path(f"/run/jails/{NAME}/output")):
        path.unlink(missing_ok=True)
        path.symlink_to(victim)
    for attempt in (task("restarted"), task("stopped"), DEFINED, task("absent")):
        run(attempt)
    assert victim.read_text() == "precious"
    assert os.stat(victim).st_uid == 0
    victim.unlink()
    assert not run(task("absent")).failure
    assert settled(before) == []


def test_a_lock_that_is_a_link_is_refused(before: list[str]) -> None:
    Path(f"/run/jails/{NAME}.lock").symlink_to("/var/lib/victim")
    failure = run(DEFINED).failure
    assert f"{NAME}.lock" in failure
    assert not Path("/var/lib/victim").exists()
    Path(f"/run/jails/{NAME}.lock").unlink()
    assert settled(before) == []
