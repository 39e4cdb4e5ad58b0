# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""chcontext: commands of the host that see only each other."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import contexts, places
from ansible_collections.hosting.jails.plugins.module_utils._engine.cli import main
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.jails import wait_until

pytestmark = pytest.mark.usefixtures("private_state")

PIDS = "ls /proc | grep -c '^[0-9]*$'"


def chcontext(*arguments: str) -> subprocess.CompletedProcess[str]:
    return jails.jailctl("chcontext", *arguments)


@contextlib.contextmanager
def running(number: int, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A command in the foreground of a context; it has printed its first line."""
    words = jails.jailctl_command("chcontext", "--silent", "--ctx", str(number), *command)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            yield process
        finally:
            process.terminate()


def test_it_sees_only_its_own_processes_and_queues() -> None:
    queue = subprocess.run(["ipcmk", "-Q"], capture_output=True, text=True, check=True).stdout.split()[-1]
    try:
        done = chcontext("sh", "-c", f"echo $$; {PIDS}; ipcs -q; cat /proc/1/comm; ls -i /etc/passwd")
    finally:
        subprocess.run(["ipcrm", "-q", queue], check=True)
    lines = done.stdout.split()
    # The context's own init, the shell, and those that look.
    assert (int(lines[0]), int(lines[1]) <= 5) == (2, True)
    assert f" {queue} " not in done.stdout
    assert "context-" in done.stdout
    assert str(os.stat("/etc/passwd").st_ino) in done.stdout
    assert "new context " in done.stderr


def test_a_second_command_joins_the_same_context() -> None:
    with running(301, "sh", "-c", "echo up; exec sleep 4711"):
        jails.wait_until(lambda: "sleep 4711" in chcontext("--ctx", "301", "ps", "-eo", "args").stdout)
        assert "sleep 4711" not in chcontext("ps", "-eo", "args").stdout
        killed = chcontext("--ctx", "301", "pkill", "-f", "sleep 4711")
        assert (killed.returncode, killed.stderr) == (0, "")


def test_nothing_is_left_when_the_last_process_has_ended() -> None:
    assert chcontext("true").returncode == 0
    assert contexts.numbers() == []
    chcontext("--ctx", "302", "sh", "-c", "sleep 4712 >/dev/null 2>&1 & exit 0")
    assert contexts.numbers() == [302]
    init = int(group_file(302, "init"))
    os.kill(int(group_file(302, "inside")), signal.SIGKILL)
    wait_until(lambda: not alive(init), what="the end of the context's init")
    chcontext("true")
    assert contexts.numbers() == []


def group_file(number: int, group: str) -> str:
    directory = contexts._group(f"{number}/{group}").unified
    return Path(directory, "cgroup.procs").read_text().strip()


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def test_one_whose_caller_was_killed_goes_on_and_is_cleared_later() -> None:
    with running(303, "sh", "-c", "echo up; exec sleep 4713") as caller:
        caller.kill()
    jails.wait_until(lambda: "sleep 4713" in chcontext("--ctx", "303", "ps", "-eo", "args").stdout)
    contexts._inside(303).kill()
    chcontext("true")
    assert contexts.numbers() == []


def test_a_disconnected_command_is_nobodys_child() -> None:
    command = ["sh", "-c", "exec sleep 4714 >/dev/null 2>&1"]
    assert chcontext("--ctx", "304", "--disconnect", *command).returncode == 0
    pid = int(group_file(304, "inside"))
    script = "sleep 20 >/dev/null 2>&1 & echo $!"
    orphan = int(subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout)
    try:
        assert parent_of(pid) == parent_of(orphan)
    finally:
        os.kill(orphan, signal.SIGKILL)
    contexts._inside(304).kill()
    chcontext("true")
    assert contexts.numbers() == []


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_it_has_a_name_and_a_ceiling_of_its_own() -> None:
    script = "hostname; domainname; grep CapEff /proc/self/status"
    done = chcontext("--hostname", "web9", "--domainname", "nis9", "--secure", "--cap", "NET_RAW", "sh", "-c", script)
    host, domain, effective = done.stdout.splitlines()
    assert (host, domain) == ("web9", "nis9")
    secure = jails.jailctl("reducecap", "--secure", "--cap", "NET_RAW", "grep", "CapEff", "/proc/self/status").stdout
    assert effective == secure.strip()
    assert os.uname().nodename != "web9"


def test_its_mounts_are_its_own() -> None:
    chcontext("sh", "-c", "mount -t tmpfs none /mnt && touch /mnt/inside")
    assert not os.path.exists("/mnt/inside")
    assert str(os.getpid()) in os.listdir("/proc")


def test_it_ends_as_its_command_does() -> None:
    assert chcontext("sh", "-c", "exit 7").returncode == 7
    assert chcontext("sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL
    assert chcontext("no-such-command").returncode == 127
    with running(305, "sh", "-c", "trap 'exit 5' TERM; echo up; sleep 20 & wait") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(jails.PATIENCE) == 5
    contexts._inside(305).kill()
    chcontext("true")
    assert contexts.numbers() == []


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        ([], 2, "chcontext needs a command"),
        (["--ctx", "web1", "true"], 2, "write the number of a context"),
        (["--ctx", "1", "true"], 125, "0 is the host, which sees every process, as 1 did"),
        (["--ctx", "65536", "true"], 125, "take a number from 2 to 65535"),
        (["--flag", "lock", "true"], 2, "'--flag' is not an option of chcontext"),
        (["--cap", "NET_RAW", "true"], 2, "--cap NAME goes with --secure"),
        (["--hostname", "x" * 70, "true"], 125, "Invalid argument"),
    ],
)
def test_a_wrong_call_is_explained(arguments: Sequence[str], status: int, complaint: str) -> None:
    done = chcontext(*arguments)
    assert (done.returncode, complaint in done.stderr) == (status, True), done
    assert contexts.numbers() == []


def test_the_program_answers_to_chcontext_too(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(main, "_function", lambda command: lambda words: calls.append([command, *words]) or 0)
    assert main.main(["/usr/local/sbin/chcontext", "--ctx", "7", "true"]) == 0
    assert calls == [["chcontext", "--ctx", "7", "true"]]
    assert "chcontext" in places.OTHER_NAMES
