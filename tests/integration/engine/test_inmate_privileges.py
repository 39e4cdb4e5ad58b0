# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every process of a jail may do, seen from the host, and which of them are not what the document says."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.jails import jailctl, wait_until

pytestmark = pytest.mark.usefixtures("nothing_left")

NAME = "eng-powers"
KEPT = ["KILL", "SETGID", "SETUID"]
SCRIPT = "cd /; setpriv --reuid 33 --regid 33 --clear-groups sleep 1001 & sleep 1002 & wait"


@pytest.fixture(scope="module")
def it(nothing_left: None) -> Iterator[jails.Jail]:
    caps = {"profile": "none", "keep": KEPT}
    with jails.jail(NAME, command=["bash", "-c", SCRIPT]) as made:
        made.converge(part="caps", caps=caps, apply="restart")
        wait_until(lambda: {"sleep 1001", "sleep 1002"} <= set(processes(made)), what="all processes")
        yield made


def privileges(made: jails.Jail) -> dict[str, Any]:
    found: dict[str, Any] = made.describe("privileges")["privileges"]
    return found


def processes(made: jails.Jail) -> dict[str, dict[str, Any]]:
    return {row["command"]: row for row in privileges(made)["processes"]}


def test_each_process_has_its_sets_by_name(it: jails.Jail) -> None:
    found = processes(it)
    root, user = found["sleep 1002"], found["sleep 1001"]
    assert root["capabilities"] == {
        "inheritable": [],
        "permitted": KEPT,
        "effective": KEPT,
        "bounding": KEPT,
        "ambient": [],
    }
    assert user["capabilities"] == {**root["capabilities"], "permitted": [], "effective": []}
    assert (user["user"], user["jail_uid"]) == ("www-data", 33)
    assert all((row["seccomp"], row["no_new_privileges"]) == ("filter", True) for row in found.values())
    assert root["namespaces"]["pid"] == os.stat(f"/proc/{it.pid}/ns/pid").st_ino
    assert privileges(it)["drift"] == []


def test_whoever_runs_a_command_in_it_is_no_drift(it: jails.Jail) -> None:
    running = subprocess.Popen(jails.jailctl_command("exec", NAME, "--", "sleep", "1003"))
    try:
        wait_until(lambda: "sleep 1003" in processes(it), what="the command")
        assert any(row["jail_pid"] is None for row in processes(it).values())
        assert privileges(it)["drift"] == []
    finally:
        running.terminate()
        running.wait()


def test_a_process_of_the_host_in_its_group_is_found(it: jails.Jail) -> None:
    with subprocess.Popen(["sleep", "1004"]) as stray:
        Path(it.cgroup.unified, "cgroup.procs").write_text(str(stray.pid))
        try:
            (found,) = privileges(it)["drift"]
            shown = jailctl("ps", "--privileges", "--pid", str(stray.pid), check=True).stdout
        finally:
            stray.kill()
    assert (found["pid"], found["command"]) == (stray.pid, "sleep 1004")
    said = "; ".join(found["drift"])
    assert "exceeds its jail's ceiling (permitted, effective, bounding) by CHOWN," in said
    assert "SYS_ADMIN" in said
    assert "is under no filter of system calls" in said
    assert "may gain privileges by exec" in said
    assert "is in namespaces that are not the jail's: cgroup, ipc, mnt, net, pid, time, user, uts" in said
    assert said in shown


def test_what_the_document_has_taken_away_since_is_found(it: jails.Jail) -> None:
    try:
        it.converge(part="caps", caps={"profile": "none", "keep": ["SETGID", "SETUID"]})
        by_command = {row["command"]: row["drift"] for row in privileges(it)["drift"]}
        (said,) = by_command["sleep 1002"]
        assert said == "has KILL until the jail is restarted, which the document does not give any more"
    finally:
        it.converge(part="caps", caps={"profile": "none", "keep": KEPT})
    assert privileges(it)["drift"] == []


def test_a_table_shows_it(it: jails.Jail) -> None:
    lines = jailctl("ps", "--privileges", NAME, check=True).stdout.splitlines()
    assert lines[0].split()[4:] == ["CAPABILITIES", "SECCOMP", "NO_NEW_PRIVILEGES", "DRIFT", "COMMAND"]
    row = next(line for line in lines if line.endswith("sleep 1001"))
    assert row.split()[3:7] == ["www-data", "-", "filter", "yes"]
    rows = json.loads(jailctl("ps", "--privileges", "--json", "--pid", str(it.pid), check=True).stdout)
    assert [(one["name"], one["jail_pid"]) for one in rows] == [(NAME, 1)]
    assert jailctl("ps", "--privileges", "--pid", str(os.getpid())).returncode == 1


def test_namespaces_of_its_own_making_are_no_drift(nothing_left: None) -> None:
    """In there its root has every capability, and none of them is worth anything outside."""
    nest = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--net", "sleep", "1005"]
    with jails.jail("eng-nests", command=nest, caps={"profile": "vps"}) as it:
        wait_until(lambda: "sleep 1005" in processes(it), what="the process in its own namespaces")
        nested = processes(it)["sleep 1005"]
        assert "SYS_TIME" in nested["capabilities"]["effective"]
        assert nested["namespaces"]["user"] != os.stat(f"/proc/{it.pid}/ns/user").st_ino
        assert privileges(it)["drift"] == []
        (shown,) = jailctl("ps", "--privileges", "--pid", str(it.pid), check=True).stdout.splitlines()[1:]
        assert f" ceiling ({len(privileges(it)['capabilities'])}) " in shown


def test_a_jail_that_does_not_run_has_nothing_to_show(nothing_left: None) -> None:
    with jails.jail("eng-asleep", state="stopped") as it:
        assert privileges(it) == {}
        assert jailctl("ps", "--privileges", it.name, check=True).stdout.count("\n") == 1
