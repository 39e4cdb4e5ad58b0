# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who watches jails may die at any time: jails do not notice, nothing is lost, and the next one goes on."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import places, start, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import (
    aftermath,
    client,
    log,
    protocol,
    server,
)
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor.connection import (
    try_connect,
    version_of,
)
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.tests.integration.jails import (
    CHECKOUT,
    PATIENCE,
    UNTIL_LET_GO,
    Jail,
    dismiss_supervisor,
    heed_interrupts,
    jail,
    jailctl,
    jailctl_command,
    kill_supervisor,
    own_supervisor,
    processes_of,
    supervisor_pid,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

COUNTING = ["sh", "-c", "n=0; while :; do n=$((n+1)); echo $n; sleep 0.01; done"]
FAILING_LATER = ["sh", "-c", f"echo up; {UNTIL_LET_GO}exit 3"]


def ended_lives(it: Jail) -> int:
    """How often the command has said that it is up."""
    return it.log().count("up\n")


@pytest.mark.parametrize(
    ("policy", "script", "again"),
    [
        ("never", "exit 3", False),
        ("on-failure", "exit 3", True),
        ("on-failure", "exit 0", False),
        ("on-failure", "kill -9 $$", True),
        ("always", "exit 0", True),
    ],
)
def test_a_jail_that_ends_by_itself_is_started_again_by_its_policy(policy: str, script: str, again: bool) -> None:
    restart = {"policy": policy, "delay": 0, "maximum": 1}
    command = ["sh", "-c", f"echo up; {UNTIL_LET_GO}{script}"]
    with jail("eng-again", command=command, restart=restart) as it:
        first = it.pid
        it.let_go()
        wait_until(lambda: not Path(f"/proc/{first}").exists())
        wait_until(lambda: it.state != "running" or it.pid != first)
        wait_until(lambda: ended_lives(it) == (2 if again else 1))
        time.sleep(0.5)
        assert ended_lives(it) == (2 if again else 1)


def test_the_delay_doubles_and_after_the_maximum_the_jail_counts_as_failed() -> None:
    command = ["sh", "-c", f"date +%s.%N; {UNTIL_LET_GO}exit 1"]
    with jail("eng-again", command=command, restart={"policy": "on-failure", "delay": 1, "maximum": 2}) as it:
        it.let_go()
        wait_until(lambda: len(it.log().split()) == 3 and it.state == "failed")
        time.sleep(0.3)
        moments = [float(word) for word in it.log().split()]
        assert len(moments) == 3
        first, second = (later - earlier for earlier, later in zip(moments, moments[1:]))
        assert first >= 1.0
        assert second >= 2.0
        state = store.read_state("eng-again")
        lives = [state._replace(restarts=restarts) for restarts in range(3)]
        delays = [aftermath.restart_delay("eng-again", life, ran_for=0.2) for life in lives]
        assert delays == [(1.0, 1), (2.0, 2), None]
        shown = it.describe()
        assert (shown["state"], shown["restarts"], shown["exit_status"]) == ("failed", 2, 1)
        assert "exited with status 1" in shown["message"]
        assert (shown["ended"]["how"], shown["ended"]["message"]) == ("exited", shown["message"])


def test_a_jail_stopped_by_its_operator_is_not_started_again() -> None:
    with jail("eng-again", command=["sleep", "1000"], restart={"policy": "always", "delay": 0}) as it:
        assert it.describe()["ended"] is None
        it.converge(state="stopped")
        time.sleep(0.5)
        assert it.state == "stopped"
        assert it.describe()["ended"]["how"] == "stopped"


def test_a_jail_reboots_and_powers_off_from_inside_whatever_its_policy() -> None:
    command = ["sh", "-c", "echo up; exec sleep 1000"]
    restart = {"policy": "never", "delay": 0}
    with jail("eng-again", command=command, init="none", caps={"profile": "vps"}, restart=restart) as it:
        first = it.pid
        it.run("reboot", "-ff")
        wait_until(lambda: it.state == "running" and it.pid not in (0, first))
        shown = it.describe()
        assert (shown["restarts"], shown["ended"]["how"], shown["exit_status"]) == (1, "rebooted", None)
        it.converge(restart={"policy": "on-failure", "delay": 0})
        it.run("poweroff", "-ff")
        wait_until(lambda: it.state == "stopped" and it.describe()["exit_status"] == 0)
        time.sleep(0.5)
        assert it.state == "stopped"
        ended = it.describe()["ended"]
        assert (ended["how"], ended["exit_status"]) == ("powered_off", 0)
        assert f"powered off {ended['at']}" in jailctl("status", it.name).stdout
        it.converge(state="stopped")
        assert it.describe()["ended"] == ended
        assert it.log().count("up\n") == 2


def test_the_death_of_an_init_takes_every_process_of_the_jail_with_it() -> None:
    with jail("eng-again", command=["sh", "-c", "setsid sleep 1000 & exec sleep 1000"]) as it:
        wait_until(lambda: len(processes_of("eng-again")) == 3)
        os.kill(it.pid, signal.SIGKILL)
        wait_until(lambda: it.state == "failed")
        wait_until(lambda: processes_of("eng-again") == [])
        wait_until(lambda: "signal 9" in it.describe()["message"])
        assert it.describe()["ended"]["how"] == "killed"


def test_a_jail_does_not_notice_the_death_of_the_supervisor_and_loses_no_line() -> None:
    with jail("eng-watch", command=COUNTING) as it:
        wait_until(lambda: "\n5\n" in it.log())
        pid = it.pid
        kill_supervisor()
        time.sleep(0.3)
        assert it.state == "running"
        # Whoever needs a supervisor starts the next one.
        client.connect().close()
        there = len(it.log().split())
        wait_until(lambda: len(it.log().split()) > there + 10)
        lines = [int(line) for line in it.log().split()]
        assert lines == list(range(1, len(lines) + 1))
        assert it.pid == pid


def test_no_line_is_lost_or_told_twice_however_often_supervisors_are_killed() -> None:
    printing = "i=1; while :; do echo $i; i=$((i + 1)); sleep 0.002; done"
    with jail("eng-watch", command=["sh", "-c", printing]) as it:
        for turn in range(1, 10):
            wait_until(lambda least=turn * 200: len(it.log()) > least)
            kill_supervisor()
            client.connect().close()
        wait_until(lambda: len(it.log()) > 10 * 200)
        lines = [int(line) for line in it.log().split()]
        assert lines == list(range(1, len(lines) + 1))


def test_a_program_that_prints_faster_than_the_supervisor_reads_loses_nothing() -> None:
    command = ["sh", "-c", "yes 0123456789abcdef | head -c 3000000; echo; echo done; sleep 1000"]
    with jail("eng-watch", command=command) as it:
        wait_until(lambda: "done" in it.log())
        assert len(it.log()) == 3_000_000 + len("\ndone\n")


def test_a_jail_that_prints_more_than_a_pipe_holds_waits_for_the_next_supervisor() -> None:
    command = ["sh", "-c", f"{UNTIL_LET_GO}yes 0123456789abcdef | head -c 300000; echo; echo done"]
    with jail("eng-watch", command=command) as it:
        kill_supervisor()
        it.let_go()
        wait_until(lambda: any(line.startswith("yes") for line in it.commands().values()))
        time.sleep(1)
        assert it.state == "running"
        client.connect().close()
        wait_until(lambda: "done" in it.log())
        assert len(it.log()) == 300000 + len("\ndone\n")


def test_the_next_supervisor_notices_the_end_of_an_adopted_jail_and_starts_it_again() -> None:
    with jail("eng-watch", command=["sleep", "1000"], restart={"policy": "on-failure", "delay": 0}) as it:
        first = it.pid
        kill_supervisor()
        client.connect().close()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: it.state == "running" and it.pid != first)


def test_a_jail_that_ended_while_nobody_watched_is_started_again() -> None:
    with jail("eng-watch", command=["sleep", "1000"], restart={"policy": "on-failure", "delay": 0}) as it:
        first = it.pid
        kill_supervisor()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: it.state == "failed")
        client.connect().close()
        wait_until(lambda: it.state == "running" and it.pid != first)


def test_a_restart_that_a_killed_supervisor_had_planned_is_done_by_the_next() -> None:
    with jail("eng-watch", command=FAILING_LATER, restart={"policy": "on-failure", "delay": 2, "maximum": 1}) as it:
        it.let_go()
        wait_until(lambda: store.read_state("eng-watch").phase == "failed")
        kill_supervisor()
        client.connect().close()
        wait_until(lambda: ended_lives(it) == 2)


def test_a_supervisor_of_another_version_is_replaced_and_its_jails_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.hosting.jails.plugins.module_utils._engine import install

    with own_supervisor() as old, jail("eng-watch", command=COUNTING) as it:
        pid = it.pid
        monkeypatch.setattr(install, "engine_version", lambda: "another")
        assert version_of(try_connect()) != "another"
        monkeypatch.setattr(install, "ensure_engine", lambda: ["/bin/sh", "-c", "exit 0"])
        client._dismiss(try_connect())
        monkeypatch.undo()
        client.connect().close()
        assert supervisor_pid() not in (None, old)
        count = len(it.log().split())
        wait_until(lambda: len(it.log().split()) > count + 5)
        lines = [int(line) for line in it.log().split()]
        assert (lines, it.pid) == (list(range(1, len(lines) + 1)), pid)


def test_many_that_ask_at_once_for_a_supervisor_get_the_same_one() -> None:
    with jail("eng-watch"):
        kill_supervisor()
        answers: list[int] = []

        def ask() -> None:
            with client.connect() as connection:
                protocol.send(connection, {"do": protocol.PING})
                answers.append(int((protocol.receive(connection) or {})["pid"]))

        threads = [threading.Thread(target=ask) for _unused in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 4
        assert len(set(answers)) == 1


def test_a_task_that_starts_a_jail_ends_with_its_output_closed() -> None:
    """A supervisor that held the pipe would make Ansible wait for ever."""
    program = f"""
import sys
sys.path[:0] = {[str(CHECKOUT / ".build" / "link"), str(CHECKOUT)]!r}
from ansible_collections.hosting.jails.tests.integration.jails import converge
converge("eng-watch", state="started", command=["sleep", "1000"])
print("done")
"""
    with jail("eng-watch", state="stopped") as it:
        dismiss_supervisor()
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
        assert it.state == "running"


def test_the_supervisor_holds_nothing_of_whoever_started_it() -> None:
    with jail("eng-watch"):
        kill_supervisor()
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        client.connect().close()
        os.close(writer)
        # End of file: nobody else has the other end.
        os.set_blocking(reader, False)
        assert os.read(reader, 1) == b""
        os.close(reader)
        pid = supervisor_pid()
        assert pid
        streams = {os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)}
        assert streams == {"/dev/null"}
        assert os.getsid(pid) != os.getsid(0)
        assert os.readlink(f"/proc/{pid}/cwd") == "/"


def test_a_supervisor_with_nothing_to_watch_ends_by_itself() -> None:
    if any(name[:4] != "eng-" for name in store.names()):
        pytest.skip("other jails on this machine want to be watched")
    with jail("eng-watch"):
        pid = supervisor_pid()
    # Asking it would keep it.
    wait_until(lambda: not Path(f"/proc/{pid}").exists() and not os.path.exists(places.SUPERVISOR_SOCKET))


def test_failed_starts_and_daemons_of_hooks_leave_no_zombies() -> None:
    hook = {"stage": "prestart", "command": ["/bin/sh", "-c", "(sleep 0.2 &)"]}
    restart = {"policy": "on-failure", "delay": 0, "maximum": 3}
    with jail("eng-watch", command=FAILING_LATER, hooks=[hook], restart=restart) as it:
        for _unused in range(3):
            with pytest.raises(EngineError):
                it.converge(state="restarted", command=["no-such-program"])
        it.converge(state="started", command=FAILING_LATER)
        it.let_go()
        wait_until(lambda: ended_lives(it) >= 4)
        wait_until(lambda: zombies_of(supervisor_pid() or 0) == [])


@pytest.mark.parametrize(("owner", "step"), [(start, "Launch"), (server, "watch")], ids=["begun", "watched"])
def test_a_start_that_fails_in_the_supervisor_costs_it_nothing(
    monkeypatch: pytest.MonkeyPatch, owner: ModuleType, step: str
) -> None:
    def fail(*_unused: object) -> None:
        raise KernelError("open", "one more", errno.EMFILE)

    monkeypatch.setattr(owner, step, fail)
    with own_supervisor() as pid, jail("eng-watch", state="stopped", command=["sleep", "1000"]) as it:
        held: set[int] = set()
        for _unused in range(3):
            with pytest.raises(EngineError, match="EMFILE"):
                it.converge(state="started")
            held.add(wait_until(lambda: descriptors_without_requests(pid)))
        assert len(held) == 1
        assert (it.state, processes_of("eng-watch"), it.cgroup.exists()) == ("failed", [], False)
        assert supervisor_pid() == pid


def descriptors_without_requests(pid: int) -> int:
    """How many a supervisor holds, as soon as none of them is a connection; until then 0."""
    try:
        held = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except FileNotFoundError:
        return 0
    # The listener and what tells of nftables.
    return len(held) if sum(name.startswith("socket:") for name in held) <= 2 else 0


def zombies_of(parent: int) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, owner = entry.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state == "Z" and int(owner) == parent:
            found.append(entry.parent.name)
    return found


def test_a_log_is_cut_into_generations_of_its_size_and_loses_nothing_but_the_oldest(tmp_path: Path) -> None:
    written = log.Log(str(tmp_path / "x.log"), largest=1000, kept=3)
    for number in range(500):
        written.write(f"{number:09}\n".encode())
    written.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.log", "x.log.1", "x.log.2"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    kept = "".join((tmp_path / name).read_text() for name in ("x.log.2", "x.log.1", "x.log")).split()
    assert [int(line) for line in kept] == list(range(500 - len(kept), 500))
    assert len(kept) > 200


def test_a_jail_that_prints_without_end_fills_no_disk(without_much_log: None) -> None:
    with jail("eng-watch", command=["sh", "-c", "yes | head -c 400000; sleep 1000"]) as it:
        wait_until(lambda: Path(f"{places.log('eng-watch')}.2").exists())
        # All is printed when nothing is left but the init, the shell and its sleep, and read soon after.
        wait_until(lambda: len(processes_of("eng-watch")) == 3 and "sleep" in it.output("ps", "-eo", "comm"))
        time.sleep(0.3)
        wait_until(lambda: len(sizes_of_logs("eng-watch")) == 3)
        assert sum(sizes_of_logs("eng-watch")) <= 3 * 100_000 + 65536
        assert it.state == "running"
    assert list(Path(places.LOGS).glob("eng-watch.log*")) == []


def sizes_of_logs(name: str) -> list[int]:
    """Of each generation; those that are being renamed are left out."""
    sizes = []
    for path in Path(places.LOGS).glob(f"{name}.log*"):
        with contextlib.suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return sizes


@pytest.fixture
def without_much_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import watch

    monkeypatch.setattr(watch, "Log", lambda path: log.Log(path, largest=100_000))
    with own_supervisor():
        yield


def test_logs_follow_shows_what_comes() -> None:
    with jail("eng-watch", command=COUNTING) as it:
        wait_until(lambda: it.log() != "")
        follower = subprocess.Popen(
            jailctl_command("logs", "--follow", "eng-watch"),
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            preexec_fn=heed_interrupts,
        )
        try:
            assert follower.stdout is not None
            lines = [int(follower.stdout.readline()) for _unused in range(60)]
            assert lines == list(range(1, 61))
        finally:
            follower.send_signal(signal.SIGINT)
            assert follower.wait(PATIENCE) == 130
            follower.stdout.close()


def test_two_that_want_the_same_of_one_jail_wait_for_each_other_and_both_end_well() -> None:
    with jail("eng-both", state=None) as it:
        results = [jailctl_later("start", "eng-both") for _unused in range(3)]
        assert [result() for result in results] == [0, 0, 0]
        assert it.state == "running"
        restarts = [jailctl_later("restart", "eng-both") for _unused in range(3)]
        assert [result() for result in restarts] == [0, 0, 0]
        assert it.state == "running"


def test_two_with_opposite_wishes_end_well_and_one_of_them_was_last() -> None:
    with jail("eng-both") as it:
        results = [jailctl_later(command, "eng-both") for command in ("stop", "start", "restart", "stop", "start")]
        assert [result() for result in results] == [0] * 5
        assert it.state in ("running", "stopped")
        assert json.loads(jailctl("list", "--json", "eng-both").stdout)[0]["state"] == it.state
        assert it.cgroup.exists() == (it.state == "running")


def jailctl_later(*arguments: str) -> Callable[[], int]:
    process = subprocess.Popen(
        jailctl_command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return lambda: process.wait(60)
