# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of a jail, from its first start to its last stop, and every way in which a start can go wrong."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import install, places
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.tests.integration.jails import (
    PATIENCE,
    Jail,
    jail,
    jailctl,
    leftovers,
    long_trials,
    own_supervisor,
    processes_of,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

STUBBORN = ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]


def command_line(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]


def jail_pids(pid: int) -> list[int]:
    """Pids of a process in each pid namespace that knows it, the host's first."""
    text = Path(f"/proc/{pid}/status").read_text()
    return [int(word) for word in text.partition("NSpid:")[2].splitlines()[0].split()]


def test_a_jail_without_a_command_persists() -> None:
    with jail("eng-life") as it:
        assert it.state == "running"
        time.sleep(0.3)
        assert it.state == "running"
        assert it.output("sh", "-c", "echo from $(hostname)") == "from eng-life\n"


def test_the_init_of_auto_is_pid_1_and_the_command_its_child() -> None:
    with jail("eng-life", command=["sleep", "100"]) as it:
        wait_until(lambda: "sleep 100" in it.commands().values(), what="the command")
        (command,) = set(processes_of("eng-life")) - {it.pid}
        assert jail_pids(it.pid)[1:] == [1]
        assert command_line(command) == ["sleep", "100"]


def test_with_init_none_the_command_is_pid_1() -> None:
    with jail("eng-life", command=["sleep", "100"], init="none") as it:
        assert command_line(it.pid) == ["sleep", "100"]
        assert jail_pids(it.pid)[1:] == [1]
        assert processes_of("eng-life") == [it.pid]


def test_a_second_run_changes_nothing() -> None:
    document: dict[str, Any] = {"command": ["sleep", "100"], "limits": {"memory": "64M"}, "environment": {"A": "b"}}
    with jail("eng-life", **document) as it:
        pid = it.pid
        again = it.converge(state="started", **document)
        assert (again["changed"], again["actions"]) == (False, [])
        assert it.pid == pid


def test_sigterm_reaches_the_command() -> None:
    script = "trap 'echo asked to stop; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    with jail("eng-life", command=["sh", "-c", script], stop={"timeout": 600}) as it:
        wait_until(lambda: "ready" in it.log())
        started = time.monotonic()
        it.converge(state="stopped")
        assert time.monotonic() - started < PATIENCE
        assert it.state == "stopped"
        wait_until(lambda: "asked to stop" in it.log())


def test_the_stop_signal_is_that_of_the_document() -> None:
    script = "trap 'echo hung up; exit 0' HUP; echo ready; while :; do sleep 0.1; done"
    with jail("eng-life", command=["sh", "-c", script], stop={"signal": "HUP"}) as it:
        wait_until(lambda: "ready" in it.log())
        it.converge(state="stopped")
        wait_until(lambda: "hung up" in it.log())


def test_a_stubborn_command_is_killed_after_the_timeout_and_all_of_its_control_group_with_it() -> None:
    script = "setsid sleep 1000 & setsid sh -c 'trap \"\" TERM HUP; sleep 1000' & " + STUBBORN[2]
    with jail("eng-life", command=["sh", "-c", script], stop={"timeout": 1}) as it:
        wait_until(lambda: "deaf" in it.log() and len(processes_of("eng-life")) >= 4)
        started = time.monotonic()
        it.converge(state="stopped")
        assert 0.9 < time.monotonic() - started < PATIENCE
        assert processes_of("eng-life") == []
        assert not it.cgroup.exists()
        assert it.state == "stopped"


def test_a_pid_1_that_would_not_notice_the_signal_is_not_waited_for() -> None:
    """The kernel drops signals that an init has no handler for; ten seconds of waiting would be for nothing."""
    with jail("eng-life", command=["sleep", "1000"], init="none", stop={"timeout": 600}) as it:
        started = time.monotonic()
        it.converge(state="stopped")
        assert time.monotonic() - started < PATIENCE


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ({"command": ["ngnix"]}, "command[0]", ["'ngnix'", "install it"]),
        ({"command": ["/usr/sbin/ngnix"]}, "command[0]", ["/usr/sbin/ngnix", "No such file"]),
        ({"command": ["/etc/passwd"]}, "command[0]", ["not executable", "chmod +x"]),
        ({"command": ["/etc"]}, "command[0]", ["not a file"]),
        ({"command": ["ngnix"], "init": "none"}, "command[0]", ["'ngnix'"]),
        ({"command": ["sleep", "9"], "user": "nobdy"}, "user", ["'nobdy'", "/etc/passwd"]),
        ({"command": ["sleep", "9"], "user": "root:whel"}, "user", ["'whel'", "/etc/group"]),
        ({"command": ["sleep", "9"], "workdir": "/no/where"}, "workdir", ["/no/where", "No such file"]),
        ({"mounts": [{"source": "/no/such", "target": "/mnt"}]}, "mounts[0].source", ["/no/such", "make it first"]),
        ({"sysctls": {"kernel.shmmax": "many"}}, "sysctls.kernel.shmmax", ["Invalid argument"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_start_that_cannot_be_is_refused_with_its_path_and_leaves_nothing(
    document: dict[str, Any], path: str, words: list[str]
) -> None:
    with jail("eng-wrong", state=None) as it:
        before = leftovers("eng-wrong")
        with pytest.raises(EngineError) as refusal:
            it.converge(state="started", **document)
        assert refusal.value.path == path
        assert refusal.value.jail == "eng-wrong"
        for word in words:
            assert word in str(refusal.value)
        assert it.state in ("failed", "stopped")
        # The record of the failure and the namespaces, which belong to the definition, are all that came.
        wait_until(lambda: all("/run/jails/eng-wrong" in line for line in set(leftovers("eng-wrong")) - set(before)))
        it.converge(
            state="started", command=["sleep", "9"], user="root", workdir="/", mounts=[], sysctls={}, init="auto"
        )
        assert it.state == "running"


@pytest.mark.parametrize("init", ["auto", "none"])
def test_a_command_that_fails_at_once_makes_the_task_fail(init: str) -> None:
    with jail("eng-life", state=None) as it:
        with long_trials(), pytest.raises(EngineError) as failure:
            it.converge(state="started", command=["sh", "-c", "echo no configuration >&2; exit 78"], init=init)
        assert failure.value.path == "command"
        assert "78" in str(failure.value)
        assert "jailctl logs eng-life" in failure.value.remedy
        assert it.state == "failed"
        assert processes_of("eng-life") == []
        assert not it.cgroup.exists()
        wait_until(lambda: jailctl("logs", "eng-life").stdout == "no configuration\n")


def test_a_frozen_jail_stands_still_and_a_thawed_one_goes_on() -> None:
    counting = "while :; do echo x; sleep 0.02; done"
    with jail("eng-life", command=["sh", "-c", counting]) as it:
        wait_until(lambda: it.log().count("x") > 2)
        assert it.converge(state="frozen")["changed"]
        assert it.state == "frozen"
        wait_until(lambda: prints_nothing(it), what="what it has printed to be read")
        count = it.log().count("x")
        assert not it.converge(state="frozen")["changed"]
        refused = it.run("true")
        assert (refused.returncode, "frozen" in refused.stderr) == (125, True)
        assert it.converge(state="started")["changed"]
        wait_until(lambda: it.log().count("x") > count)
        assert it.state == "running"


def prints_nothing(it: Jail) -> bool:
    before = it.log()
    time.sleep(0.3)
    return it.log() == before


def test_a_frozen_jail_can_be_stopped_and_hears_its_signal() -> None:
    script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    with jail("eng-life", command=["sh", "-c", script]) as it:
        wait_until(lambda: "ready" in it.log())
        it.converge(state="frozen")
        it.converge(state="stopped")
        wait_until(lambda: "bye" in it.log())


def test_restarted_is_another_life_on_the_same_files() -> None:
    with jail("eng-life", command=["sleep", "100"]) as it:
        it.script("echo kept > /root/note; echo lost > /run/note")
        pid = it.pid
        assert it.converge(state="restarted")["changed"]
        assert it.pid != pid
        assert it.script("cat /root/note; ls /run") == "kept\n"


def test_reset_forgets_what_was_written() -> None:
    with jail("eng-life", command=["sleep", "100"]) as it:
        it.script("echo x > /root/note; rm /etc/issue")
        waiting = it.converge(part="rootfs", reset=True)
        assert (waiting["changed"], waiting["restart_required"]) == (False, True)
        assert it.converge(part="rootfs", reset=True, apply="restart")["changed"]
        assert it.script("ls /root /etc/issue") == "/etc/issue\n\n/root:\n"


@pytest.fixture
def without_reapers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have jails started as on a host that has neither catatonit nor tini."""
    from ansible_collections.hosting.jails.plugins.module_utils._engine.launch import reaper

    monkeypatch.setattr(reaper, "_REAPERS", ())
    with own_supervisor():
        yield


def test_the_builtin_reaper_is_pid_1_reaps_orphans_and_passes_signals_on(without_reapers: None) -> None:
    script = "trap 'echo asked; exit 7' TERM; (sleep 0.05 &) ; echo ready; while :; do sleep 0.05; done"
    with jail("eng-reap", command=["sh", "-c", script]) as it:
        wait_until(lambda: "ready" in it.log())
        assert command_line(it.pid) != ["sh", "-c", script]
        assert jail_pids(it.pid)[1:] == [1]
        time.sleep(0.3)
        wait_until(lambda: zombies("eng-reap") == [], what="the orphan to be buried")
        os.kill(it.pid, signal.SIGTERM)
        wait_until(lambda: it.state == "failed" and it.log() == "ready\nasked\n")
        wait_until(lambda: it.describe()["exit_status"] == 7)


def test_the_builtin_reaper_without_a_command_reaps_and_waits_for_its_signal(without_reapers: None) -> None:
    with jail("eng-reap", stop={"timeout": 600}) as it:
        it.script("(sleep 0.05 &)")
        wait_until(lambda: processes_of("eng-reap") == [it.pid], what="the orphan to be buried")
        started = time.monotonic()
        it.converge(state="stopped")
        assert time.monotonic() - started < PATIENCE


def test_the_builtin_reaper_cannot_be_looked_into_from_its_jail(without_reapers: None) -> None:
    with jail("eng-reap", caps={"keep": ["SYS_PTRACE"]}) as it:
        assert it.run("ls", "/proc/1/fd").returncode != 0
        assert it.run("cat", "/proc/1/environ").returncode != 0


def zombies(name: str) -> list[int]:
    found = []
    for pid in processes_of(name):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][1] == "Z":
                found.append(pid)
    return found


def test_a_jail_whose_namespaces_and_network_are_gone_starts_again_as_after_a_boot() -> None:
    """jailctl runs isolated and without site, and still has to find pyroute2, which limits the bandwidth."""
    ip = {"mode": "vnet", "addresses": ["10.23.0.31/32"], "bandwidth": {"ingress": "100M"}}
    with jail("eng-life", ip=ip, command=["sleep", "100"]) as it:
        it.converge(state="stopped")
        from ansible_collections.hosting.jails.plugins.module_utils._engine import network
        from ansible_collections.hosting.jails.plugins.module_utils._kernel import namespaces

        network.remove("eng-life")
        namespaces.unpin(places.namespace("eng-life", "user"))
        started = jailctl("start", "eng-life")
        assert (started.returncode, started.stderr) == (0, "")
        assert "10.23.0.31" in it.output("ip", "-o", "address")


def test_a_jail_outlives_whoever_started_it_and_knows_how_long_it_has_run() -> None:
    with jail("eng-life", command=["sleep", "100"]) as it:
        assert Path(f"/proc/{it.pid}/stat").read_text().rpartition(")")[2].split()[1] != str(os.getpid())
        assert float(it.output("cat", "/proc/uptime").split()[0]) < PATIENCE


def test_the_same_engine_is_installed_that_is_tested() -> None:
    with jail("eng-life"):
        assert Path(install.COMMAND).exists()
        assert (Path(install.PREFIX) / install.engine_version() / "complete").exists()
