# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that answer, late, wrongly, too much, or not at all."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

TWO = {"hosts": ["node1", "node2"]}


def test_the_jails_of_all_hosts_are_hosts(fleet):
    fleet.host("node1", {"name": "web1"}, {"name": "web2"})
    fleet.host("node2", {"name": "db1"})
    found = fleet.read(TWO)
    assert found.names == ["db1", "web1", "web2"]
    assert found.groups["jails"] == found.names
    assert {name: found.hosts[name]["jail_host"] for name in found.names} == {
        "db1": "node2",
        "web1": "node1",
        "web2": "node1",
    }
    assert found.warnings == []


def test_each_host_is_asked_once(fleet):
    for number in range(12):
        fleet.host(f"node{number:02}", *({"name": f"web{number}-{jail}"} for jail in range(50)))
    found = fleet.read({"hosts": ["node[00:11]"]})
    assert len(found.hosts) == 600
    assert fleet.calls() == [f"node{number:02}" for number in range(12)]


def test_a_row_becomes_variables(fleet):
    row = {
        "name": "web1",
        "state": "frozen",
        "id": 7,
        "uid_base": 983040,
        "pid": 4711,
        "uptime": 86400,
        "hostname": "www.example.org",
        "addresses": ["10.32.0.11/32", "fd00:32::11/128"],
        "labels": {"customer": "acme", "fleet": "shop"},
        "autostart": True,
        "restarts": 2,
        "exit_status": None,
        "message": "",
        "ended": None,
        "profile": "service",
        "template": "debian",
        "ip_mode": "vnet",
        "init": "auto",
        "depends": ["db1"],
        "limits": {"memory": "256M"},
    }
    fleet.host("node1", row)
    variables = fleet.read({"hosts": ["node1"], "connect": "none"}).hosts["web1"]
    assert variables == {
        **{f"jail_{name}": value for name, value in row.items()},
        "jail_host": "node1",
        "jail_fleet": "shop",
        "jail_ip": "10.32.0.11",
        "jail_ips": ["10.32.0.11", "fd00:32::11"],
    }


def test_an_older_jailctl_tells_less(fleet):
    fleet.host("node1", {"name": "web1"})
    variables = fleet.read({"hosts": ["node1"]}).hosts["web1"]
    assert variables["jail_state"] == "running"
    assert variables["jail_profile"] is None
    assert variables["jail_labels"] == {}
    assert variables["jail_ip"] is None


def test_a_host_without_jails_is_no_trouble(fleet):
    fleet.host("node1")
    found = fleet.read({"hosts": ["node1"]})
    assert found.names == []
    assert found.warnings == []


def test_a_host_that_hangs_costs_its_own_jails_and_a_bounded_time(fleet):
    fleet.host("node1", {"name": "web1"})
    fleet.host("node2", script='echo $$ >"$FAKE/pid"; exec sleep 1000')
    started, hung = time.monotonic(), fleet.directory / "pid"
    # A busy machine may need more than the first for the other host, and for this one to hang at all.
    for seconds in (1.5, 20):
        found = fleet.read({**TWO, "timeout": seconds})
        if found.names and hung.exists():
            break
    assert time.monotonic() - started < 60
    assert found.names == ["web1"]
    assert found.warned("No jails of node2", f"no answer within {seconds} seconds")
    pid = int(hung.read_text())
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        assert "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]


# A host answers once so many are asked at the same time.
TOGETHER = 'echo + >>"$FAKE/log"; until [ "$(grep -c + "$FAKE/log")" -ge {0} ]; do sleep 0.02; done; '


def test_hosts_are_waited_for_together(fleet):
    for number in range(8):
        fleet.host(f"node{number}", script=TOGETHER.format(8) + "echo '[]'")
    assert fleet.read({"hosts": ["node[0:7]"], "timeout": 60}).warnings == []


def test_no_more_hosts_are_asked_at_once_than_wanted(fleet):
    for number in range(9):
        script = TOGETHER.format(3) + """sleep 0.1; echo - >>"$FAKE/log"; echo '[]'"""
        fleet.host(f"node{number}", script=script)
    found = fleet.read({"hosts": ["node[0:8]"], "parallel": 3})
    assert found.warnings == []
    present = most = 0
    for line in (fleet.directory / "log").read_text().split():
        present += 1 if line == "+" else -1
        most = max(most, present)
    assert most == 3


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("true", ["is empty"]),
        ("echo hello", ["not a list of jails", "hello"]),
        ('echo \'{"name": "web1"}\'', ["not a list of jails"]),
        ("echo '[1]'", ["row 0 is called None"]),
        ("echo '[{\"name\": null}]'", ["row 0 is called None"]),
        ("printf '%s' '[{\"name\": \"web1\\nx\"}]'", ["row 0 is called"]),
        ('echo \'[{"name": "-oProxyCommand=sh"}]\'', ["row 0 is called"]),
        ('echo \'[{"name": "../etc"}]\'', ["row 0 is called"]),
        ('echo \'[{"name": "{{ evil }}"}]\'', ["row 0 is called"]),
        ('echo \'[{"name": "web1"}, {"name": "web1"}]\'', ["jail web1 twice"]),
        ('printf \'[{"name": "web1"\'', ["not a list of jails"]),
        ("head -c 100000 /dev/urandom", ["not a list of jails"]),
        ("echo '[]5B'", ["not a list of jails"]),
        ("i=0; while [ $i -lt 5000 ]; do printf '['; i=$((i+1)); done", ["not a list of jails"]),
        ("printf '\\033]0;owned\\007\\033[31mred'", ["]0;owned"]),
        ("echo 'sh: 1: exec: /usr/local/sbin/jailctl: not found' >&2; exit 127", ["no jail host yet"]),
        ("echo 'sudo: a password is required' >&2; exit 1", ["sudo: a password is required"]),
        ("echo 'jailctl: out of order' >&2; exit 1", ["ended with status 1", "out of order"]),
        ("echo 'Host key verification failed.' >&2; exit 255", ["Host key verification failed"]),
        ("kill -9 $$", ["ended with status"]),
    ],
)
def test_an_answer_that_is_none_is_a_warning_about_that_host(fleet, script, words):
    fleet.host("node1", {"name": "db1"})
    fleet.host("node2", script=script)
    found = fleet.read(TWO)
    assert found.names == ["db1"]
    assert found.warned("No jails of node2", *words), found.warnings
    assert all(character.isprintable() for text in found.warnings for character in text.replace("\n", ""))


def test_an_endless_answer_ends_with_a_warning(fleet):
    fleet.host("node1", {"name": "db1"})
    fleet.host("node2", script="exec yes '[ endless'")
    started = time.monotonic()
    found = fleet.read({**TWO, "timeout": 300})
    assert time.monotonic() - started < 299
    assert found.names == ["db1"]
    assert found.warned("No jails of node2", "MiB")


def test_a_large_answer_is_an_answer(fleet):
    fleet.host("node1", *({"name": f"web{number}", "labels": {"note": "x" * 2000}} for number in range(3500)))
    found = fleet.read({"hosts": ["node1"], "timeout": 30})
    assert len(found.hosts) == 3500


def test_what_a_login_prints_around_the_answer_is_passed_over(fleet):
    script = 'echo "Welcome to [node1]"; echo "[ready]"; echo "[{\\"name\\": \\"web1\\"}]"; echo bye'
    fleet.host("node1", script=script)
    assert fleet.read({"hosts": ["node1"]}).names == ["web1"]


def test_values_of_a_wrong_kind_are_as_if_they_had_not_been_said(fleet):
    wrong = {
        "name": "web1",
        "state": "haunted",
        "id": "7",
        "pid": True,
        "uptime": [1],
        "hostname": {"a": 1},
        "addresses": ["10.32.0.1/32", "evil -oProxyCommand=x", 5, "10.32.0.2"],
        "labels": {"a": "b", "c": {"d": "e"}, "f": 1},
        "restarts": None,
        "depends": "db1",
        "limits": [],
        "unheard_of": "{{ 1 }}",
    }
    fleet.host("node1", wrong)
    variables = fleet.read({"hosts": ["node1"]}).hosts["web1"]
    assert variables["jail_state"] == "unknown"
    assert (variables["jail_id"], variables["jail_pid"], variables["jail_uptime"]) == (None, None, None)
    assert variables["jail_hostname"] is None
    assert variables["jail_addresses"] == ["10.32.0.1/32", "10.32.0.2"]
    assert variables["jail_labels"] == {"a": "b"}
    assert variables["jail_depends"] == []
    assert variables["jail_limits"] == {}
    assert "jail_unheard_of" not in variables


def test_halves_of_characters_do_no_harm(fleet):
    fleet.host("node1", script='echo \'[{"name": "web1", "labels": {"a": "\\\\ud800"}}]\'')
    assert fleet.read({"hosts": ["node1"]}).hosts["web1"]["jail_labels"] == {"a": "?"}


def test_a_host_that_cannot_be_reached_can_be_passed_over_in_silence(fleet):
    fleet.host("node1", {"name": "db1"})
    found = fleet.read({**TWO, "failed_hosts": "ignore"})
    assert found.names == ["db1"]
    assert found.warnings == []


def test_a_host_that_cannot_be_reached_can_void_the_source(fleet):
    fleet.host("node1", {"name": "db1"})
    found = fleet.read({**TWO, "failed_hosts": "fail"})
    assert found.names == []
    assert found.warned("test.jails.yml", "node2", "Connection refused")


def test_nothing_can_ask_the_user(fleet):
    """A worker has no controlling terminal: opening it fails, so ssh cannot ask for a passphrase or a host key."""
    fleet.host("node1", script='if (: </dev/tty) 2>/dev/null; then echo tty; else echo "[]"; fi')
    assert fleet.read({"hosts": ["node1"]}).warnings == []


def test_nothing_is_left_open_for_the_next_program(fleet):
    """A ControlPersist master that held our pipe would keep us waiting for its end."""
    fleet.host("node1", script='(exec sleep 2 >/dev/null 2>&1 </dev/null) & ls -l /proc/$$/fd >"$FAKE/fds"; echo "[]"')
    fleet.host("node2", script="sleep 0.5; echo '[]'")
    fleet.read(TWO)
    kept = [line for line in (fleet.directory / "fds").read_text().splitlines() if "pipe:" in line]
    assert len(kept) <= 3, kept


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/self/statm").exists(), reason="needs proc(5)")
def test_a_worker_that_dies_is_an_error_of_its_host(fleet):
    fleet.host("node1", {"name": "db1"})
    fleet.host("node2", script="kill -9 $PPID; sleep 1")
    found = fleet.read(TWO)
    assert found.names == ["db1"]
    assert found.warned("No jails of node2", "the process that asked it died")
