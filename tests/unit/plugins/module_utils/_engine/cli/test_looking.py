# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables, options, and figures that are measured between two looks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import meter
from ansible_collections.hosting.jails.plugins.module_utils._engine.cli import look, selection, tables
from ansible_collections.hosting.jails.plugins.module_utils._engine.cli.usage import UsageError
from ansible_collections.hosting.jails.plugins.module_utils._kernel import process_table


def test_a_table_is_as_wide_as_its_cells():
    rows = [{"name": "web1", "pid": None, "addresses": ["10.0.0.1/32", "fd00::1/128"]}, {"name": "a", "uptime": 90061}]
    assert tables.lines(rows, ("name", "pid", "uptime", "addresses")) == [
        "NAME  PID  UPTIME       ADDRESSES",
        "web1  -    -            10.0.0.1/32,fd00::1/128",
        "a     -    1d 01:01:01  -",
    ]


def test_a_jails_text_is_no_command_to_the_terminal():
    (_unused, line) = tables.lines([{"command": "sh\x1b]0;owned\x07\x9b31m"}], ("command",))
    assert line == "sh?]0;owned??31m"


def test_options_are_found_wherever_they_are():
    found = selection.split_flags(["web1", "--json", "--pid=7", "db1"], flags=["--json"], values=["--pid"])
    assert found == ({"--json"}, {"--pid": "7"}, ["web1", "db1"])
    assert selection.split_flags(["--pid", "7"], values=["--pid"])[1] == {"--pid": "7"}


@pytest.mark.parametrize("words", [["--jso"], ["--pid"], ["-x", "web1"]])
def test_a_wrong_option_is_refused(words):
    with pytest.raises(UsageError):
        selection.split_flags(words, flags=["--json"], values=["--pid"])


def test_who_follows_a_log_misses_no_line_of_it_when_it_is_rotated(monkeypatch, tmp_path, capfdbinary):
    log = tmp_path / "web1.log"
    log.write_bytes(b"one\n")

    def rotate():
        with log.open("ab") as file:
            file.write(b"two\n")
        log.rename(tmp_path / "web1.log.1")
        log.write_bytes(b"three\n")

    meanwhile = [rotate, lambda: None]

    def sleep(_seconds):
        if not meanwhile:
            raise KeyboardInterrupt
        meanwhile.pop(0)()

    monkeypatch.setattr(look, "select_jails", list)
    monkeypatch.setattr(look.places, "log", lambda name: str(log))
    monkeypatch.setattr(look.time, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        look.COMMANDS["logs"](["--follow", "web1"])
    assert capfdbinary.readouterr().out == b"one\ntwo\nthree\n"


class _Group:
    def __init__(self, name):
        self.name = name

    def exists(self):
        return True


@pytest.fixture
def looks(monkeypatch):
    """``looks[n]``: time and processor time of the next look."""
    script: list[tuple[float, int]] = []
    monkeypatch.setattr(meter.status, "group", _Group)
    monkeypatch.setattr(meter.status, "run_state", lambda name: "running")
    monkeypatch.setattr(meter, "_limit", lambda group, name: {"memory": 2000}.get(name))
    monkeypatch.setattr(meter, "read_statistics", lambda group: {"memory": 500, "pids": 3, "cpu_usec": script[0][1]})
    monkeypatch.setattr(meter.time, "monotonic", lambda: script[0][0])
    return script


def test_processor_time_is_a_share_of_one_processor_since_the_last_look(looks):
    gauge = meter.Meter()
    looks[:] = [(10.0, 1_000_000)]
    assert gauge.read(["web1"])[0]["cpu_percent"] is None
    looks[:] = [(12.0, 2_500_000)]
    (row,) = gauge.read(["web1"])
    assert (row["cpu_percent"], row["memory_percent"], row["pids"]) == (75.0, 25.0, 3)


def test_a_jail_that_was_restarted_between_two_looks_has_no_negative_share(looks):
    gauge = meter.Meter()
    looks[:] = [(10.0, 5_000_000)]
    gauge.read(["web1"])
    looks[:] = [(12.0, 1_000)]
    assert gauge.read(["web1"])[0]["cpu_percent"] is None


def test_a_process_is_read_as_proc_has_it():
    process = process_table.read_process(os.getpid())
    assert process is not None
    assert (process.parent, process.uid) == (os.getppid(), os.geteuid())
    assert process.pids[0] == os.getpid()
    assert process.resident > 1 << 20
    assert 0 <= process.cpu_seconds < 10_000
    assert process_table.uid_map(os.getpid())
    assert (process_table.group_of(os.getpid()) or "").startswith("/")


def test_a_process_that_is_gone_is_none():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert process_table.read_process(process.pid) is None
    assert process_table.read_sizes(process.pid) is None
    assert process_table.group_of(process.pid) is None
    assert process_table.uid_map(process.pid) == ()


def test_a_process_calls_itself_as_it_likes():
    """A name that is no text, with the signs that proc(5) itself uses."""
    script = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'a) R \\xff\\n'); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script, "\udcff"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        process = process_table.read_process(child.pid)
        child.kill()
    assert process is not None
    assert process.parent == os.getpid()
    assert process.name.startswith("a) R ")
