# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A command in a running jail: it gets what the caller has, and nothing of the host's."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.tests.integration.jails import (
    PATIENCE,
    Jail,
    jail,
    jailctl,
    jailctl_command,
    processes_of,
    run_in,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

MEBIBYTE = 1 << 20
EVERY_BYTE = bytes(range(256)) * 512


@pytest.fixture(scope="module")
def it(template: str, nothing_left: None) -> Iterator[Jail]:
    limits = {"memory": "256M", "pids": 100}
    with jail("eng-exec", environment={"SHARED": "by all"}, limits=limits, rlimits={"nofile": 512}) as made:
        yield made


def status_fields(text: str) -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def test_streams_and_exit_status_pass_through(it: Jail) -> None:
    done = it.run("sh", "-c", "cat; echo problem >&2; exit 3", input="question\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, "question\n", "problem\n")


@pytest.mark.parametrize("status", [0, 1, 2, 125, 126, 127, 255])
def test_every_exit_status_is_the_commands_own(it: Jail, status: int) -> None:
    assert it.run("sh", "-c", f"exit {status}").returncode == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGPIPE])
def test_death_by_a_signal_is_128_more_than_its_number(it: Jail, number: int) -> None:
    assert it.run("sh", "-c", f"kill -{int(number)} $$").returncode == 128 + number


@pytest.mark.parametrize("relayed", [False, True], ids=["pipes", "files"])
def test_binary_data_passes_unchanged(it: Jail, tmp_path: Path, relayed: bool) -> None:
    if not relayed:
        done = it.run("cat", input=EVERY_BYTE, text=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, EVERY_BYTE, b"")
        return
    question, answer = tmp_path / "question", tmp_path / "answer"
    question.write_bytes(EVERY_BYTE)
    with question.open("rb") as source, answer.open("wb") as sink:
        done = it.run("cat", stdin=source, stdout=sink, capture_output=False, text=False)
    assert (done.returncode, answer.read_bytes()) == (0, EVERY_BYTE)


def test_200_mebibytes_pass_through_a_pipe_intact(it: Jail) -> None:
    block = os.urandom(MEBIBYTE)
    sent, received = hashlib.sha256(), hashlib.sha256()
    process = subprocess.Popen(
        jailctl_command("exec", "eng-exec", "--", "cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    feeder = os.fork()
    if feeder == 0:
        process.stdout.close()
        for number in range(200):
            process.stdin.write(number.to_bytes(4, "big") + block[4:])
        process.stdin.close()
        os._exit(0)
    process.stdin.close()
    while data := process.stdout.read(MEBIBYTE):
        received.update(data)
    for number in range(200):
        sent.update(number.to_bytes(4, "big") + block[4:])
    os.waitpid(feeder, 0)
    process.stdout.close()
    assert process.wait(PATIENCE) == 0
    assert received.digest() == sent.digest()


def test_files_as_streams_of_any_size_do_not_lock_up(it: Jail, tmp_path: Path) -> None:
    """Both directions go through the relay here, and a full pipe in one of them must not stop the other."""
    question, answer = tmp_path / "question", tmp_path / "answer"
    question.write_bytes(os.urandom(MEBIBYTE) * 24)
    with question.open("rb") as source, answer.open("wb") as sink:
        done = it.run("cat", stdin=source, stdout=sink, capture_output=False, text=False, timeout=PATIENCE)
    assert done.returncode == 0
    assert answer.read_bytes() == question.read_bytes()


def test_a_reader_that_goes_away_ends_the_command(it: Jail) -> None:
    command = " ".join(jailctl_command("exec", "eng-exec", "--", "yes"))
    done = subprocess.run(
        ["sh", "-c", f"{command} | head -n 1"], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.stdout == "y\n"
    wait_until(lambda: "yes" not in it.output("ps", "-eo", "comm"))


def test_a_full_disk_as_output_ends_the_command(it: Jail) -> None:
    with open("/dev/full", "wb") as sink:
        done = it.run("yes", stdout=sink, capture_output=False, timeout=PATIENCE)
    assert done.returncode == 128 + signal.SIGPIPE


def test_an_input_that_never_ends_does_not_keep_the_command(it: Jail) -> None:
    reader, writer = os.pipe()
    try:
        assert it.run("echo", "done", stdin=reader).stdout == "done\n"
    finally:
        os.close(reader)
        os.close(writer)


def test_closed_streams_of_the_caller_are_no_error(it: Jail, tmp_path: Path) -> None:
    command = " ".join(jailctl_command("exec", "eng-exec", "--", "sh", "-c", "'cat; echo out; echo err >&2; exit 4'"))
    done = subprocess.run(
        ["sh", "-c", f"{command} 0<&- 1>&- 2>{tmp_path}/err"], timeout=PATIENCE, stdin=subprocess.DEVNULL, check=False
    )
    assert (done.returncode, (tmp_path / "err").read_text()) == (4, "err\n")
    for command in (["list"], ["list", "no-such-jail"]):
        line = " ".join(jailctl_command(*command))
        subprocess.run(["sh", "-c", f"{line} 0<&- 1>&- 2>&-"], timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL)


def test_a_background_process_does_not_keep_the_caller(it: Jail, tmp_path: Path) -> None:
    started = time.monotonic()
    with (tmp_path / "out").open("wb") as sink:
        done = it.run("sh", "-c", "sleep 987 & echo started", stdout=sink, capture_output=False)
    assert (done.returncode, (tmp_path / "out").read_text()) == (0, "started\n")
    assert time.monotonic() - started < PATIENCE
    it.script("pkill -x sleep")


def test_signals_to_jailctl_reach_the_command(it: Jail) -> None:
    script = "trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    process = subprocess.Popen(
        jailctl_command("exec", "eng-exec", "--", "sh", "-c", script), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.wait(PATIENCE) == 9
    assert process.stdout.read() == "caught\n"
    process.stdout.close()


def test_the_command_dies_with_jailctl(it: Jail) -> None:
    process = subprocess.Popen(jailctl_command("exec", "eng-exec", "--", "sleep", "789"), stdin=subprocess.DEVNULL)
    wait_until(lambda: "sleep 789" in it.output("ps", "-eo", "args"))
    process.kill()
    process.wait(PATIENCE)
    wait_until(lambda: "sleep 789" not in it.output("ps", "-eo", "args"))


def test_no_command_outlives_a_jailctl_that_is_killed_while_it_enters(it: Jail) -> None:
    before = set(it.cgroup.processes())
    for moment in range(16):
        process = subprocess.Popen(jailctl_command("exec", "eng-exec", "--", "sleep", "678"), stdin=subprocess.DEVNULL)
        while len(set(it.cgroup.processes()) - before) <= moment % 2:
            assert process.poll() is None
        time.sleep(moment / 4000)
        process.kill()
        process.wait(PATIENCE)
    wait_until(lambda: "sleep 678" not in it.output("ps", "-eo", "args"))


def test_user_workdir_and_environment(it: Jail) -> None:
    options = ["--user", "www-data", "--workdir", "/var", "--env", "A=b c=d", "--env=EMPTY="]
    text = it.output("sh", "-c", "id -un; id -Gn; pwd; env", options=options)
    assert text.splitlines()[:3] == ["www-data", "www-data", "/var"]
    variables = dict(line.split("=", 1) for line in text.splitlines()[3:])
    assert variables["A"] == "b c=d"
    assert variables["EMPTY"] == ""
    assert variables["SHARED"] == "by all"
    assert variables["HOME"] == "/var/www"
    assert variables["USER"] == "www-data"


def test_nothing_of_the_callers_environment_gets_in(it: Jail) -> None:
    text = it.output("env", env={**os.environ, "HOST_SECRET": "x", "LD_PRELOAD": "/no/such.so"})
    assert "HOST_SECRET" not in text
    assert "LD_PRELOAD" not in text


@pytest.mark.parametrize(
    ("options", "command", "status", "words"),
    [
        ([], ["no-such"], 125, ["command[0]", "'no-such'"]),
        (["--user", "nobdy"], ["true"], 125, ["user", "'nobdy'"]),
        (["--workdir", "/no/such"], ["true"], 125, ["workdir", "/no/such"]),
        (["--colour"], ["true"], 2, ["'--colour'", "--help"]),
        ([], [], 2, ["needs a command"]),
    ],
    ids=["command", "user", "workdir", "option", "nothing"],
)
def test_what_cannot_be_run_is_told(
    it: Jail, options: list[str], command: list[str], status: int, words: list[str]
) -> None:
    done = it.run(*command, options=options)
    assert (done.returncode, done.stdout) == (status, "")
    for word in words:
        assert word in done.stderr


def test_a_program_whose_file_capabilities_nobody_can_have_is_told(it: Jail) -> None:
    net_admin, version_2_effective = 1 << 12, 0x02000001
    attribute = b"".join(word.to_bytes(4, "little") for word in (version_2_effective, net_admin, 0, 0, 0))
    it.script("cp /bin/true /usr/local/bin/capable")
    it.output("python3", "-c", f"import os; os.setxattr('/usr/local/bin/capable', 'security.capability', {attribute})")
    done = it.run("capable")
    assert done.returncode == 125
    assert "'capable' has file capabilities that nobody in the jail can have" in done.stderr
    assert "setcap -r" in done.stderr


def test_a_jail_that_has_no_room_for_a_process_more_is_told() -> None:
    with jail("eng-full", command=["sh", "-c", "for i in 1 2 3; do sleep inf & done; wait"]) as it:
        wait_until(lambda: list(it.commands().values()).count("sleep inf") == 3)
        it.converge(limits={"pids": len(it.commands()) + 1})
        done = it.run("true")
        assert (done.returncode, done.stdout) == (125, "")
        assert "jail eng-full: limits.pids: has as many processes as it may have; end some" in done.stderr


def test_a_jail_that_does_not_run_or_is_not_there_is_told() -> None:
    with jail("eng-off", state="stopped"):
        done = run_in("eng-off", "true")
        assert (done.returncode, done.stderr) == (
            125,
            "jailctl: jail eng-off: is not running; jailctl start eng-off\n",
        )
    assert run_in("eng-none", "true").returncode == 125
    assert jailctl("exec", "../x", "--", "true").returncode == 125


def test_tty_gives_a_terminal_of_the_jails_own(it: Jail) -> None:
    for _unused in range(5):
        assert it.output("tty", options=["--tty"]) == "/dev/pts/0\n"
    assert it.output("sh", "-c", "ls /dev/pts; test -t 0 && test -t 1 && test -t 2", options=["--tty"]) == "0  ptmx\n"
    assert it.run("tty").stdout == "not a tty\n"


def test_the_end_of_the_input_is_the_end_of_what_is_typed(it: Jail) -> None:
    done = it.run("sh", "-c", "stty -echo; read first; echo got $first; cat", options=["--tty"], input="one\ntwo")
    assert done.returncode == 0
    assert done.stdout.endswith("got one\ntwo")


def test_much_output_of_a_terminal_is_complete(it: Jail) -> None:
    done = it.run("seq", "20000", options=["--tty"])
    assert done.stdout.split() == [str(number) for number in range(1, 20001)]


class Terminal:
    """A terminal of the host with jailctl on it, as an operator has it."""

    def __init__(self, *arguments: str) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            command = jailctl_command(*arguments)
            os.execv(command[0], command)
        self.seen = b""

    def expect(self, pattern: str, *, timeout: float = PATIENCE) -> re.Match[str]:
        deadline = time.monotonic() + timeout
        while not (found := re.search(pattern, self.seen.decode(errors="replace"))):
            ready, _unused, _unused = select.select([self.master], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"waited for {pattern!r}, saw {self.seen!r}"
            try:
                self.seen += os.read(self.master, 65536)
            except OSError as error:
                assert error.errno == errno.EIO
                raise AssertionError(f"ended before {pattern!r}, saw {self.seen!r}") from error
        return found

    def type(self, text: str) -> None:
        self.seen = b""
        os.write(self.master, text.encode())

    def status(self) -> int:
        while True:
            try:
                if not os.read(self.master, 65536):
                    break
            except OSError:
                break
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_enter_is_a_login_shell_with_job_control(it: Jail) -> None:
    terminal = Terminal("enter", "eng-exec")
    terminal.expect("# $")
    terminal.type("stty size; tty\r")
    terminal.expect("/dev/pts/0\r\n")
    terminal.type("sleep 1000\r")
    wait_until(lambda: "sleep 1000" in it.output("ps", "-eo", "args"))
    terminal.type("\x03")
    terminal.expect("# $")
    terminal.type("echo $?\r")
    terminal.expect("130\r\n")
    terminal.type("exit 5\r")
    assert terminal.status() == 5


def test_the_terminal_in_the_jail_has_the_size_of_the_callers(it: Jail) -> None:
    script = "stty size; until stty size | grep '33 111'; do sleep 0.05; done"
    terminal = Terminal("exec", "--tty", "eng-exec", "--", "sh", "-c", script)
    terminal.expect(r"\d+ \d+\r\n")
    termios.tcsetwinsize(terminal.master, (33, 111))
    terminal.expect("33 111\r\n")
    assert terminal.status() == 0


def test_the_callers_terminal_is_restored(it: Jail) -> None:
    leader, follower = pty.openpty()
    before = termios.tcgetattr(follower)
    done = subprocess.run(
        jailctl_command("exec", "--tty", "eng-exec", "--", "true"),
        stdin=follower,
        stdout=follower,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0
    assert termios.tcgetattr(follower) == before
    os.close(leader)
    os.close(follower)


@pytest.mark.parametrize("options", [[], ["--tty"]], ids=["plain", "tty"])
def test_the_callers_terminal_is_never_inside_the_jail(it: Jail, options: list[str]) -> None:
    """Whoever holds it could push characters into the host's shell (TIOCSTI)."""
    leader, follower = pty.openpty()
    host = os.fstat(follower)
    process = subprocess.Popen(
        jailctl_command("exec", *options, "eng-exec", "--", "sleep", "456"),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    try:
        wait_until(lambda: "sleep 456" in it.output("ps", "-eo", "args"))
        for pid in processes_of("eng-exec"):
            for entry in Path(f"/proc/{pid}/fd").glob("*"):
                with contextlib.suppress(FileNotFoundError):
                    status = os.stat(entry)
                    assert (status.st_dev, status.st_ino) != (host.st_dev, host.st_ino), (pid, entry)
    finally:
        process.kill()
        process.wait()
        os.close(leader)
        os.close(follower)


def test_a_command_has_the_descriptors_0_to_2_and_no_other(it: Jail) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    names = it.output("ls", "/proc/self/fd", pass_fds=(writer,)).split()
    os.close(reader)
    os.close(writer)
    assert names == ["0", "1", "2", "3"]  # 3 is the directory that ls reads


def test_a_command_is_held_by_all_that_holds_the_init(it: Jail) -> None:
    """The same namespaces, control group, capabilities and filter: entering a jail is no way to more."""
    own = status_fields(Path(f"/proc/{it.pid}/status").read_text())
    process = subprocess.Popen(jailctl_command("exec", "eng-exec", "--", "sleep", "345"), stdin=subprocess.DEVNULL)
    try:

        def entered() -> int:
            return next((pid for pid, line in it.commands().items() if line == "sleep 345"), 0)

        pid = wait_until(entered)
        fields = status_fields(Path(f"/proc/{pid}/status").read_text())
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters"):
            assert fields[name] == own[name], name
        for name in ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"):
            assert os.readlink(f"/proc/{pid}/ns/{name}") == os.readlink(f"/proc/{it.pid}/ns/{name}"), name
        assert Path(f"/proc/{pid}/cgroup").read_text() == Path(f"/proc/{it.pid}/cgroup").read_text()
        assert Path(f"/proc/{pid}/root").stat().st_ino == Path(f"/proc/{it.pid}/root").stat().st_ino
        assert Path(f"/proc/{pid}/limits").read_text() == Path(f"/proc/{it.pid}/limits").read_text()
        assert Path(f"/proc/{pid}/oom_score_adj").read_text() == Path(f"/proc/{it.pid}/oom_score_adj").read_text()
    finally:
        process.kill()
        process.wait()


# 32 and 33 belong to the C library, which lets no program handle them, and sets them as its threads need (nptl(7)).
_SIGNALS_OF_THE_LIBRARY = 3 << 31


def test_signals_that_the_caller_ignores_are_not_ignored_inside(it: Jail) -> None:
    fields = status_fields(
        it.output("cat", "/proc/self/status", preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN))
    )
    assert int(fields["SigIgn"], 16) & ~_SIGNALS_OF_THE_LIBRARY == 0
    assert int(fields["SigBlk"], 16) & ~_SIGNALS_OF_THE_LIBRARY == 0


def test_many_commands_at_once_do_not_mix(it: Jail) -> None:
    processes = [
        subprocess.Popen(
            jailctl_command("exec", "eng-exec", "--", "sh", "-c", f"sleep 0.2; echo {number}; exit {number}"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(12)
    ]
    for number, process in enumerate(processes):
        out, _unused = process.communicate(timeout=PATIENCE)
        assert (out, process.returncode) == (f"{number}\n", number)
