# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jails that do not run: out of reach, unless one says otherwise; then alone with what is theirs."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.connection.plays import Plays
from ansible_collections.hosting.jails.tests.integration.connection.talk import Raised, Speaker, Variables
from ansible_collections.hosting.jails.tests.integration.jails import Jail, wait_until

Connect = Callable[[Variables], Speaker]

ENTER = {"ansible_jail_when_stopped": "enter"}


@pytest.fixture(scope="module")
def off(nothing_left: None) -> Iterator[Jail]:
    limits = {"memory": "256M", "pids": 100}
    with jails.jail("con-off", state="stopped", limits=limits, environment={"OWN": "yes"}) as made:
        yield made


@pytest.fixture
def stopped(off: Jail) -> Jail:
    off.converge(state="stopped")
    return off


def _command(jailctl: Path, jail: Jail, *command: str) -> list[str]:
    return [str(jailctl), "exec", "--stopped", jail.name, "--", *command]


def _output(jailctl: Path, jail: Jail, script: str) -> str:
    command = _command(jailctl, jail, "sh", "-euc", script)
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def test_a_stopped_jail_cannot_be_reached_unasked(way: Variables, stopped: Jail, speakers: Connect) -> None:
    with pytest.raises(Raised) as caught:
        speakers({**way, "inventory_hostname": stopped.name}).run("true")
    assert caught.value.kind == "AnsibleConnectionFailure"
    assert "is not running" in caught.value.message
    assert "ansible_jail_when_stopped=enter" in caught.value.message


def test_a_stopped_jail_is_worked_on_before_its_start(way: Variables, stopped: Jail, plays: Plays) -> None:
    done = plays.succeed(
        stopped.name,
        {"copy": {"content": "ü\n", "dest": "/etc/made-before"}},
        {"command": "hostname"},
        variables={**way, **ENTER},
    )
    assert done[1]["stdout"] == stopped.name
    assert stopped.state == "stopped"
    stopped.converge(state="started")
    assert stopped.output("cat", "/etc/made-before") == "ü\n"


def test_a_jail_that_runs_is_entered_as_ever(way: Variables, stopped: Jail, speakers: Connect) -> None:
    stopped.converge(state="started", command=["sleep", "4711"])
    talk = speakers({**way, **ENTER, "inventory_hostname": stopped.name})
    assert "sleep 4711" in talk.output("ps -eo args")


def test_who_works_on_a_stopped_jail_is_held_by_all_that_holds_it(jailctl: Path, stopped: Jail) -> None:
    script = "grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/self/status; cat /proc/self/uid_map; echo $OWN; hostname"
    apart = _output(jailctl, stopped, script)
    stopped.converge(state="started")
    assert apart == stopped.script(script)


def test_who_works_on_a_stopped_jail_has_no_network(jailctl: Path, stopped: Jail) -> None:
    links = _output(jailctl, stopped, "ls /sys/class/net; ip -o -4 address | wc -l; cat /sys/class/net/lo/operstate")
    assert links.split() == ["lo", "1", "unknown"]


def test_what_a_command_leaves_running_ends_with_it(jailctl: Path, stopped: Jail) -> None:
    _output(jailctl, stopped, "sleep 8642 </dev/null >/dev/null 2>&1 &")
    assert jails.processes_of(stopped.name) == []
    assert not stopped.cgroup.exists()
    assert stopped.state == "stopped"


def test_nobody_starts_a_jail_while_it_is_worked_on(jailctl: Path, stopped: Jail) -> None:
    """Two mounts of its upper layer would destroy that."""
    script = f"touch /begun; {jails.UNTIL_LET_GO}rm /let-go; echo done"
    work = subprocess.Popen(_command(jailctl, stopped, "sh", "-c", script), stdout=subprocess.PIPE, text=True)
    inside = wait_until(lambda: next(_running(stopped, "sh"), ""), what="the command to run")
    began = time.monotonic()
    threading.Timer(1.0, Path(f"{inside}/root/let-go").touch).start()
    stopped.converge(state="started")
    assert time.monotonic() - began >= 1
    assert work.communicate(timeout=jails.PATIENCE)[0] == "done\n"
    assert stopped.output("ls", "/begun") == "/begun\n"


def _running(jail: Jail, program: str) -> Iterator[str]:
    """Where /proc tells of processes of a jail that run a program."""
    for pid in jails.processes_of(jail.name):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text() == f"{program}\n":
                yield f"/proc/{pid}"


def test_commands_in_a_stopped_jail_wait_for_each_other(jailctl: Path, stopped: Jail) -> None:
    script = "mkdir /alone; sleep 0.3; rmdir /alone"
    works = [subprocess.Popen(_command(jailctl, stopped, "sh", "-euc", script)) for _unused in range(4)]
    assert [work.wait(jails.PATIENCE) for work in works] == [0] * 4


def test_a_killed_jailctl_leaves_nothing_that_keeps_a_jail_from_its_start(jailctl: Path, stopped: Jail) -> None:
    work = subprocess.Popen(_command(jailctl, stopped, "sleep", "9753"), stdin=subprocess.DEVNULL)
    wait_until(lambda: len(jails.processes_of(stopped.name)) >= 3, what="the command to run")
    work.kill()
    work.wait()
    wait_until(lambda: not jails.processes_of(stopped.name), what="all of it to be gone")
    stopped.converge(state="started")
    assert stopped.state == "running"


def test_a_failed_jail_stays_a_failed_one(jailctl: Path, stopped: Jail) -> None:
    """What was wrong with it is still to be read after somebody has looked into it."""
    stopped.converge(state="started", command=["sh", "-c", f"{jails.UNTIL_LET_GO}exit 3"], apply="restart")
    stopped.let_go()
    before = wait_until(lambda: stopped.describe()["message"], what="the supervisor to say how it ended")
    assert _output(jailctl, stopped, "echo here") == "here\n"
    assert (stopped.state, stopped.describe()["message"]) == ("failed", before)


def test_a_jail_that_would_boot_is_worked_on_as_well(jailctl: Path, nothing_left: None) -> None:
    with jails.jail("con-boot", state="stopped", init="system", caps={"profile": "vps"}) as made:
        assert _output(jailctl, made, "id -u; readlink -f /proc/1/root").split() == ["0", "/"]


def test_no_lock_is_left_of_a_jail_that_never_was(jailctl: Path) -> None:
    command = [jailctl, "exec", "--stopped", "con-never", "--", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "there is no such jail" in done.stderr) == (125, True)
    assert not Path("/run/jails/con-never.lock").exists()
