# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine on its way into jails, where it is among enemies (E03-E07, E12, E52, E63, E65)."""

from __future__ import annotations

import hashlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import install, places
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.launch import reaper
from ansible_collections.hosting.jails.tests.integration import jails

from .prisoners import PROBE, Outside, Prisoner, base_of

CARELESS = Path(__file__).parent / "careless.py"
_ENTRIES = 20
# A watcher on a busy machine may be looking elsewhere, or nowhere, while somebody enters.
_ATTEMPTS = 10


@contextmanager
def _watching(jail: Prisoner) -> Iterator[dict]:
    """A hostile watcher in a jail for the length of a block; its findings are there afterwards."""
    findings: dict = {}
    command = jails.jailctl_command("exec", jail.name, "--", "python3", "/probe/watcher.py")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "watching\n"
        yield findings
        findings.update(json.loads(watcher.communicate()[0]))


def test_a_watcher_in_a_jail_gets_nothing_of_who_enters_it(any_jail: Prisoner) -> None:
    """Neither program nor memory nor descriptors nor root directory, whatever is run by whomever."""
    seen = 0
    for _unused in range(_ATTEMPTS):
        with _watching(any_jail) as findings:
            for number in range(_ENTRIES):
                options = [["--user", "nobody"], ["--tty"], ["--workdir", "/tmp"], []][number % 4]
                assert any_jail.run("true", options=options).returncode == 0
        assert findings["grabbed"] == []
        seen += findings["seen"]
        if seen >= _ENTRIES / 2:
            return
    raise AssertionError(f"of {_ATTEMPTS * _ENTRIES} that entered it has seen {seen}")


def test_a_watcher_in_a_jail_gets_nothing_of_who_attacks_it(system: Prisoner) -> None:
    """The processes of jailctl verify: forks of the engine, which never become anything else."""
    with _watching(system) as findings:
        assert jails.jailctl("verify", system.name, "--only", "climb_up,stack_a_filter,grab_who_enters").returncode == 0
    assert findings["grabbed"] == []


# Stops every process that comes after it.
_STOPPER = """
import os, signal
known = set(os.listdir("/proc"))
print("ready", flush=True)
while True:
    for entry in set(os.listdir("/proc")) - known:
        if entry.isdigit():
            try:
                os.kill(int(entry), signal.SIGSTOP)
            except OSError:
                pass
"""


def test_who_stops_whoever_enters_keeps_nobody_waiting_who_verifies_or_stops_the_jail(outside: Outside) -> None:
    with outside.prisoner("stopper", command=["python3", "-c", _STOPPER], ip={"mode": "none"}) as made:
        jails.wait_until(lambda: "ready" in made.log(), what="the stopper")
        done = jails.jailctl("verify", made.name, check=False, timeout=jails.PATIENCE)
        assert done.returncode == 1
        assert "lost" in done.stdout or "whoever enters" in done.stderr, done
        made.converge(state="stopped")


def test_a_watcher_in_a_jail_gets_everything_of_a_careless_one(system: Prisoner) -> None:
    """So that the claim above can fail."""
    missing = {"exe", "mem", "environ", "root", "fd", "fd /", "ptrace"}
    for _unused in range(_ATTEMPTS):
        with _watching(system) as findings:
            subprocess.run([sys.executable, str(CARELESS), str(system.pid)], check=True)
        missing -= set(findings["grabbed"])
        if not missing:
            return
    raise AssertionError(f"it has not got {sorted(missing)}")


def _hashes() -> dict[str, str]:
    programs = {os.path.realpath(install.interpreter()), reaper.find_reaper(pausing=True)} - {"builtin"}
    return {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in programs}


@pytest.fixture(scope="module")
def mirror(outside: Outside) -> Iterator[Prisoner]:
    """A jail whose programs are links to /proc/self/exe, which is the engine as long as the engine runs there."""
    with outside.prisoner("mirror", ip={"mode": "none"}) as made:
        made.script("ln -s /proc/self/exe /evil; printf '#!/proc/self/exe\\n' > /script; chmod +x /script")
        yield made


@pytest.mark.parametrize("command", [["/evil", "/probe/overwriter.py"], ["/script"]])
def test_a_program_that_is_the_engine_itself_cannot_overwrite_it(mirror: Prisoner, command: list[str]) -> None:
    before = _hashes()
    if command == ["/script"]:
        mirror.script("{ printf '#!/proc/self/exe\\n'; cat /probe/overwriter.py; } > /script")
    done = mirror.run(*command)
    assert _hashes() == before
    assert json.loads(done.stdout) == {"got": [], "foreign": True}


def test_a_start_with_a_program_that_is_the_engine_itself_cannot_overwrite_it(mirror: Prisoner) -> None:
    before = _hashes()
    mirror.converge(state="started", apply="restart", init="none", command=["/evil", "/probe/overwriter.py"])
    said = jails.wait_until(mirror.log, what="the program to say something")
    assert _hashes() == before
    assert json.loads(said.splitlines()[-1]) == {"got": [], "foreign": True}


@pytest.mark.parametrize("number", [*range(3, 21), "../cwd"])
def test_a_command_cannot_start_in_a_directory_of_the_engine(app: Prisoner, number: object) -> None:
    """CVE-2024-21626: a descriptor of the host's that is still open would be a way out."""
    done = app.run("ls", app.outside.host_file.name, options=["--workdir", f"/proc/self/fd/{number}"])
    assert done.returncode != 0
    assert app.outside.host_file.name not in done.stdout


@pytest.mark.parametrize("number", range(3, 13))
def test_a_jail_cannot_start_in_a_directory_of_the_engine(outside: Outside, number: int) -> None:
    command = ["sh", "-c", f"ls -a . ../../../../../../..; ls {outside.host_file.name}; sleep 600"]
    workdir = f"/proc/self/fd/{number}"
    with outside.prisoner("workdir", state="present", ip={"mode": "none"}) as made:
        try:
            made.converge(state="started", workdir=workdir, command=command)
        except EngineError as error:
            assert "workdir" in str(error)
        assert outside.host_file.name not in made.log().replace(f"'{outside.host_file.name}'", "")


def test_a_home_directory_cannot_lead_out_either(outside: Outside) -> None:
    with outside.prisoner("home", ip={"mode": "none"}) as made:
        for number in range(3, 13):
            made.script(f"echo 'root:x:0:0::/proc/self/fd/{number}:/bin/sh' > /etc/passwd")
            assert made.output("pwd").strip() == "/"


def _plant(tree: Path, text: str, owner: int) -> int:
    """Put a text in the place of every Python module that the engine could import, where a jail would have it."""
    script = "import sys; print('\\n'.join(path for path in sys.path if path))"
    command = [install.interpreter(), "-I", "-S", "-c", script]
    searched = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    names = {"/json.py", "/root/json.py", "/encodings.py"}
    for directory in (*searched, os.path.dirname(install.ensure_engine()[-1])):
        names |= {f"{path}" for path in map(str, Path(directory).rglob("*.py")) if "dist-packages" not in path}
    for name in names:
        path = tree / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
        os.chown(path, owner, owner)
    return len(names)


def test_no_python_of_a_jail_is_executed_by_the_engine(outside: Outside) -> None:
    """Every module of the standard library and of the engine, planted where the engine would look for it in there."""
    trap = "import posix\nposix.close(posix.open('/hijacked', 0o101, 0o666))\n"
    with outside.prisoner("hijack", state="present", ip={"mode": "none"}, workdir="/root") as made:
        upper = Path(f"{places.STATE}/roots/{made.name}/upper")
        assert _plant(upper, trap, base_of(made.name)) > 300
        hooks = [{"stage": stage, "where": "jail", "command": ["true"]} for stage in ("poststart", "prestop")]
        made.converge(state="started", hooks=hooks, command=["sleep", "600"])
        for options in ([], ["--tty"], ["--user", "nobody"], ["--workdir", "/root"], ["--workdir", "/none"]):
            made.run("true", options=options)
            made.run("no-such-program", options=options)
        made.run("true", options=["--user", "no-such-user"])
        jails.jailctl("enter", made.name, input="exit\n")
        made.converge(state="restarted")
        assert made.run("test", "-e", "/hijacked").returncode == 1
        made.run("python3", "-c", "0")
        assert made.run("test", "-e", "/hijacked").returncode == 0, "the trap itself does not work"


def test_a_command_gets_no_file_of_the_host_as_a_stream(any_jail: Prisoner) -> None:
    """Whoever has a file open can change its owner and mode: only pipes go in."""
    script = "import os, stat; print(*[stat.S_ISFIFO(os.fstat(fd).st_mode) for fd in (0, 1, 2)])"
    path = any_jail.outside.directory / "stream"
    with open(path, "w+") as stream:
        jails.jailctl(
            "exec", any_jail.name, "--", "python3", "-c", script,
            capture_output=False, stdin=stream, stdout=stream, stderr=stream,
        )  # fmt: skip
    assert path.read_text() == "True True True\n"
    path.unlink()


@contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    master, slave = os.openpty()
    try:
        yield master, slave
    finally:
        os.close(master)
        os.close(slave)


def _typed_after(command: list[str], keys: bytes = b"") -> tuple[bytes, bytes]:
    """Run a command on a terminal as an administrator would, and type when it prompts.

    What it shows, up to what _ON_TERMINAL says last, and what waits in the terminal to be read after it.
    """
    with _terminal() as (master, slave):
        wrapped = [sys.executable, "-c", _ON_TERMINAL, *command]
        process = subprocess.Popen(wrapped, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        shown, end = b"", time.monotonic() + jails.PATIENCE
        while process.poll() is None or not re.search(rb"left over: [0-9a-f]*\r?\n", shown):
            shown += _read(master)
            if keys and b"#" in shown:
                os.write(master, keys)
                keys = b""
            if time.monotonic() > end:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                break
        process.wait()
        return shown, _waiting(slave)


# The terminal becomes the one that controls the session: only into that one can TIOCSTI type.
_ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
pid = os.spawnvp(os.P_WAIT, sys.argv[1], sys.argv[1:])
import tty
tty.setraw(0, termios.TCSANOW)
import select
left = os.read(0, 4096) if select.select([0], [], [], 0.2)[0] else b""
os.write(1, b"\\nleft over: " + left.hex().encode() + b"\\n")
"""


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536) if select.select([fd], [], [], 0.05)[0] else b""
    except OSError:
        return b""


def _waiting(slave: int) -> bytes:
    os.set_blocking(slave, False)
    try:
        return os.read(slave, 4096)
    except OSError:
        return b""


def _left_over(shown: bytes) -> bytes:
    assert b"left over: " in shown, shown
    return bytes.fromhex(shown.rpartition(b"left over: ")[2].decode().strip())


@pytest.mark.parametrize("options", [["--tty"], []])
def test_a_command_cannot_type_into_the_terminal_of_who_runs_it(weak: Prisoner, options: list[str]) -> None:
    """In a jail without a filter: what holds is that the terminal in there is another one."""
    command = jails.jailctl_command("exec", *options, weak.name, "--", "python3", "/probe/typist.py")
    shown, waiting = _typed_after(command)
    assert b"typed " in shown, shown
    assert _left_over(shown) == waiting == b""


def test_a_shell_in_a_jail_cannot_type_into_the_terminal_of_who_enters(weak: Prisoner) -> None:
    keys = b"python3 /probe/typist.py; exit\n"
    shown, waiting = _typed_after(jails.jailctl_command("enter", weak.name), keys)
    assert b"typed " in shown, shown
    assert b"typed-by-the-jail" not in _left_over(shown) + waiting


def test_a_log_does_not_command_the_terminal_of_who_reads_it(outside: Outside) -> None:
    says = r"printf '\033]0;hijacked\007\033[6n\033[31mred\033[0m\n'; sleep 600"
    with outside.prisoner("painter", command=["sh", "-c", says], ip={"mode": "none"}) as made:
        jails.wait_until(lambda: "red" in made.log(), what="the log")
        shown, _unused = _typed_after(jails.jailctl_command("logs", made.name))
        assert b"?]0;hijacked??[6n\x1b[31mred\x1b[0m" in shown
        assert "\x1b]0;hijacked" in jails.jailctl("logs", made.name).stdout, "a file gets it as it is"


def test_a_command_on_the_host_can_type_into_its_terminal() -> None:
    """So that the two claims above can fail."""
    if Path("/proc/sys/dev/tty/legacy_tiocsti").read_text() == "0\n":
        pytest.skip("this kernel lets nobody type into a terminal (dev.tty.legacy_tiocsti)")
    shown, _unused = _typed_after([sys.executable, str(PROBE / "typist.py")])
    assert b"typed-by-the-jail" in _left_over(shown)


def test_a_false_terminal_multiplexer_is_refused(outside: Outside) -> None:
    """CVE-2025-52565: the terminal would be opened by a path that a jail which mounts can replace."""
    with outside.prisoner("ptmx", caps={"profile": "vps"}, ip={"mode": "none"}) as made:
        for false in ("echo > /dev/pts/ptmx", "mkfifo /dev/pts/ptmx", "ln -s /dev/zero /dev/pts/ptmx"):
            made.script(f"mount -t tmpfs none /dev/pts; {false}")
            done = made.run("true", options=["--tty"], timeout=jails.PATIENCE)
            assert done.returncode == 125, done
            assert "terminal" in done.stderr
            made.script("umount /dev/pts")
        assert made.run("true", options=["--tty"]).returncode == 0


@pytest.mark.parametrize(
    "make",
    [
        "mkfifo $path",
        "mkdir $path",
        "ln -s /dev/zero $path",
        "ln -s /proc/kmsg $path",
        "head -c 20000000 /dev/zero > $path",
    ],
)
def test_hostile_user_databases_hold_nobody_up(outside: Outside, make: str) -> None:
    with outside.prisoner("users", ip={"mode": "none"}) as made:
        made.script(f"for path in /etc/passwd /etc/group; do rm -rf $path; {make}; done")
        assert made.run("true", options=["--user", "0"], timeout=jails.PATIENCE).returncode == 0
        made.converge(state="restarted")
        assert made.state == "running"


@pytest.mark.parametrize("name", ["../etc", "a/b", "-rf", ".", "", "x\ny", "x" * 64, "ä", "%i", "/etc"])
def test_jailctl_takes_no_name_that_leads_elsewhere(name: str) -> None:
    for words in (["exec", name, "--", "true"], ["stop", name], ["start", name], ["logs", name]):
        done = jails.jailctl(*words)
        assert done.returncode in (1, 2, 125), done
        assert "Traceback" not in done.stderr
