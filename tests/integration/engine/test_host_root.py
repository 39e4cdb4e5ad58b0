# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jails without a user namespace (``caps.user_namespace: false``). What holds their root is tried in tests/escape."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import allocations, host_root, places, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.learning import Lesson, learn
from ansible_collections.hosting.jails.plugins.module_utils._engine.truth import report_on
from ansible_collections.hosting.jails.plugins.module_utils._model.document import effective
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.tests.integration.jails import TEMPLATE, Jail, jail
from ansible_collections.hosting.jails.tests.integration.modules import fleets

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

CAPS = {"user_namespace": False}
WARNING = "caps.user_namespace: root in it is the host's root"


def owner(it: Jail, path: str) -> int:
    """What the host calls the owner of a file of a jail."""
    return os.stat(f"/proc/{it.pid}/root{path}").st_uid


def report_of(it: Jail) -> dict[str, tuple[str, str]]:
    document = store.read_document(it.name)
    assert document is not None
    return {finding.item: (finding.verdict, finding.why) for finding in report_on(effective(document))}


def test_its_users_are_the_hosts_under_the_ceiling_of_its_profile() -> None:
    made = Jail("eng-root")
    try:
        done = made.converge(
            state="started",
            rootfs={"source": {"template": TEMPLATE}},
            caps={**CAPS, "profile": "freebsd"},
            ip={"mode": "vnet", "addresses": ["10.23.77.1/32"]},
            hooks=[{"stage": "poststart", "where": "jail", "command": ["touch", "/root/by-a-hook"]}],
        )
        assert [WARNING in line for line in done["warnings"]] == [True]
        assert not made.converge(part="caps", caps=CAPS)["changed"]
        assert made.describe()["uid_base"] == 0
        assert not os.path.exists(places.namespace("eng-root", "user"))
        assert os.stat(f"/proc/{made.pid}/ns/user").st_ino == os.stat("/proc/self/ns/user").st_ino
        made.script("touch /root/mine /root/other; chown 1000 /root/other")
        assert [owner(made, f"/root/{name}") for name in ("mine", "other", "by-a-hook")] == [0, 1000, 0]
        assert owner(made, "/etc/passwd") == 0
        # The template's own files are nobody's but the template's.
        made.script("chmod 0700 /bin/true")
        report = report_of(made)
        assert report["user_namespace"][0] == "partial"
        withheld = {"allow set_hostname", *(f"capability {name}" for name in ("DAC_READ_SEARCH", "SYS_PTRACE"))}
        assert {item for item, (verdict, _unused) in report.items() if verdict == "unavailable"} >= withheld
        held = made.script("grep CapBnd /proc/self/status").split()[1]
        assert not int(held, 16) & (1 << 2 | 1 << 19 | 1 << 21 | 1 << 24)
        rows = made.describe("privileges")["privileges"]["processes"]
        assert rows and not any(row["drift"] for row in rows)
        made.converge(state="restarted")
        assert owner(made, "/root/other") == 1000
    finally:
        made.remove()
    assert allocations.find("eng-root") is None


def test_a_jail_keeps_the_users_that_it_was_defined_with() -> None:
    for caps, other, complaint in (
        (CAPS, True, "the jail has no user namespace, and its files belong to the users of the host; say false"),
        (CAPS, {"base": 1 << 30}, "the jail has no user namespace"),
        ({}, False, "and so have its files"),
    ):
        with jail("eng-root", state="present", caps=caps) as it:
            for check in (True, False):
                with pytest.raises(DocumentError, match=complaint):
                    it.converge(part="caps", caps={"user_namespace": other}, check=check)
            # Nor by hand.
            path = Path(places.document("eng-root"))
            document = json.loads(path.read_text())
            document["caps"] = {**document.get("caps", {}), "user_namespace": other}
            path.write_text(json.dumps(document))
            with pytest.raises((DocumentError, EngineError), match=complaint):
                it.converge(state="started")
            assert it.state != "running"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody gets to."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as path:
        os.chmod(path, 0o755)
        yield Path(path)


def test_what_it_has_of_the_hosts_is_out_of_reach_of_the_hosts_users(place: Path) -> None:
    """Who is the host's root leaves programs with set-user-id bits that run as root elsewhere."""
    closed, opened = place / "closed", place / "opened"
    for directory in (closed, opened):
        (directory / "data").mkdir(parents=True)
    closed.chmod(0o700)
    volumes = {path: [{"source": str(path / "data"), "target": "/srv"}] for path in (closed, opened)}
    complaint = "mounts.0..source: users of the host reach .*opened/data.*have it below a directory that only root"
    for state, check in (("present", True), ("present", False)):
        with pytest.raises(EngineError, match=complaint):
            Jail("eng-root").converge(state=state, check=check, caps=CAPS, mounts=volumes[opened])
    assert not Path(places.document("eng-root")).exists()
    read_only = [{**volumes[opened][0], "read_only": True}]
    with jail("eng-root", caps=CAPS, mounts=[*volumes[closed], {**read_only[0], "target": "/opt"}]) as it:
        it.script("touch /srv/mine; ! touch /opt/mine")
        closed.chmod(0o755)
        with pytest.raises(EngineError, match="users of the host reach"):
            it.converge(state="restarted")
        closed.chmod(0o700)
    assert (closed / "data/mine").stat().st_uid == 0
    # Of another user's directory it is that user who says who gets in.
    os.chown(closed, 1000, 1000)
    assert host_root.is_open_to_others(str(closed / "data"))


@pytest.mark.parametrize(
    ("missing", "complaint"),
    [
        ("seccomp.is_available", "without filters of system calls"),
        ("can_hold", "neither programs on control groups nor the devices controller"),
        ("landlock.has_scopes", "before Linux 6.12 it reaches the host's abstract sockets"),
    ],
)
def test_a_host_that_cannot_hold_its_root_does_not_have_it(
    monkeypatch: pytest.MonkeyPatch, missing: str, complaint: str
) -> None:
    target, _unused, name = f"host_root.{missing}".rpartition(".")
    thing = host_root if target == "host_root" else getattr(host_root, target.rpartition(".")[2])
    monkeypatch.setattr(thing, name, lambda: False)
    ip = {"mode": "shared", "interface": "lo", "addresses": ["10.23.77.2/32"]}
    with pytest.raises(EngineError, match=complaint):
        Jail("eng-root").converge(state="present", caps=CAPS, ip=ip)
    assert not Path(places.document("eng-root")).exists()


def test_strict_takes_it_for_less_than_a_jail() -> None:
    with pytest.raises(
        EngineError, match="caps.strict: user_namespace is partial on this host: root in it is the host"
    ):
        Jail("eng-root").converge(state="present", caps={**CAPS, "strict": True})


def test_rights_in_it_are_those_of_its_capabilities_and_no_more() -> None:
    """Low ports, locked memory, other users by set-user-id programs, and the project of a file."""
    caps = {**CAPS, "profile": "none", "keep": ["SETUID", "SETGID"], "allow": ["mlock"], "no_new_privileges": False}
    bind = "import socket; socket.socket().bind(('', 80))"
    with jail("eng-root", caps=caps, ip={"mode": "vnet", "addresses": ["10.23.77.3/32"]}) as it:
        assert "Permission denied" in it.run("python3", "-c", bind).stderr
        it.script(
            "cp /bin/cat /usr/local/bin/root-cat; chmod 4755 /usr/local/bin/root-cat; umask 077; echo me > /secret"
        )
        as_user = ("setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups")
        assert it.run(*as_user, "cat", "/secret").returncode == 1
        assert it.output(*as_user, "root-cat", "/secret") == "me\n"
        ask = "import fcntl, os; fcntl.ioctl(os.open('/secret', os.O_RDONLY), {}, bytes(28))"
        for request in (0x401C5820, 0x40086602):
            assert "Operation not permitted" in it.run("python3", "-c", ask.format(request)).stderr
        lock = "import ctypes; print(ctypes.CDLL(None).mlock(ctypes.create_string_buffer(1 << 24), 1 << 24))"
        assert it.output("python3", "-c", lock) == "0\n"
        it.converge(part="caps", caps={"keep": ["NET_BIND_SERVICE"]}, apply="restart")
        it.output("python3", "-c", bind)


def test_devices_come_and_go_while_it_runs() -> None:
    """Nodes are made from outside, wherever a link of its root's leads."""
    mine = {"path": "/dev/mine/null", "type": "char", "major": 1, "minor": 3}
    with jail("eng-root", caps=CAPS, ip={"mode": "none"}) as it:
        it.script("mkdir /root/trap; ln -s /root/trap /dev/mine; mkdir /root/dev; ln -s /proc /dev/other")
        with pytest.raises(EngineError, match="caps.devices"):
            it.converge(part="caps", caps={"devices": [mine]})
        assert it.script("ls /root/trap") == ""
        it.script("rm /dev/mine")
        done = it.converge(part="caps", caps={"devices": [mine]})
        assert (done["changed"], done["restart_required"]) == (True, False)
        assert it.script("stat -c '%F %u %t:%T' /dev/mine/null") == "character special file 0 1:3\n"
        assert not it.converge(part="caps", caps={"devices": [mine]})["changed"]
        it.converge(part="caps", caps={"devices": []})
        assert it.script("ls /dev/mine") == ""


def test_a_process_of_the_hosts_in_its_group_is_drift() -> None:
    with jail("eng-root", caps=CAPS) as it:
        stray = subprocess.Popen(["sleep", "1005"])
        try:
            Path(it.cgroup.unified, "cgroup.procs").write_text(str(stray.pid))
            drift = it.describe("privileges")["privileges"]["drift"]
        finally:
            stray.kill()
            stray.wait()
    said = "; ".join(line for row in drift for line in row["drift"])
    assert [row["command"] for row in drift] == ["sleep 1005"]
    assert "is in namespaces that are not the jail's: cgroup, ipc, mnt, net, pid, time, uts" in said
    assert "exceeds its jail's ceiling" in said


def test_what_cannot_tell_its_processes_from_the_hosts_says_so() -> None:
    with jail("eng-root", state="present", caps=CAPS), pytest.raises(EngineError, match="cannot be told from the host"):
        learn(Lesson("eng-root", 1.0), lambda _unused: None)


def test_a_fleet_warns_of_each_such_jail_once() -> None:
    names = ["eng-root1", "eng-root2", "eng-root3"]
    entries: list[dict[str, Any]] = [{"name": name, "caps": CAPS} for name in names[:2]]
    entries.append({"name": names[2]})
    defaults = {"rootfs": {"source": {"template": TEMPLATE}}, "ip": {"mode": "none"}}
    try:
        result = fleets.fleet(*entries, fleet="eng-root", defaults=defaults)
        assert [line.partition(": ")[0] for line in result["warnings"]] == [f"jail {name}" for name in names[:2]]
        assert [Jail(name).describe()["uid_base"] == 0 for name in names] == [True, True, False]
        assert "warnings" not in fleets.fleet(*entries, fleet="eng-root", defaults=defaults)
    finally:
        for name in names:
            Jail(name).remove()
