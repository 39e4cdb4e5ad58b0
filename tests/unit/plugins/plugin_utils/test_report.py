# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a page of the fleet says, and that it says something whatever hosts answer."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.hosting.jails.plugins.plugin_utils._report import LEVELS, report
from ansible_collections.hosting.jails.plugins.plugin_utils._report_values import (
    address_of,
    duration,
    natural,
    size,
    text,
)
from hypothesis import given
from hypothesis import strategies as st

MEBIBYTE = 1 << 20


def jail(name="web1", **changes):
    resources = {
        "used": {"memory": 200 * MEBIBYTE, "memory_working": 64 * MEBIBYTE, "pids": 4, "cpu_usec": 3_000_000},
        "limits": {"memory": "256M", "pids": 128, "cpus": 0.5},
        "at": 102.0,
    }
    row = {"name": name, "state": "running", "uptime": 90, "addresses": ["10.0.0.1/32"], "resources": resources}
    return {**row, "labels": {"b": "2", "a": 1}, "restarts": 0, "message": "", **changes}


def host(*jails, name="node1", **more):
    return {"name": name, "answer": {"jails": list(jails), "templates": []}, **more}


def used(**changes):
    row = jail()
    row["resources"]["used"].update(changes)
    return row


def said(*hosts, **options):
    """Problems as ``level: name what``."""
    problems = report(hosts, **options)["problems"]
    return [f"{each['level']}: {each['jail'] or each['host']} {each['what']}" for each in problems]


def test_a_fleet_that_is_well_has_no_problems():
    found = report([host(jail())])
    assert found["problems"] == []
    assert found["summary"] == {
        "hosts": 1,
        "hosts_up": 1,
        "jails": 1,
        "states": {"running": 1},
        "problems": {},
        "worst": "",
    }
    (row,) = found["jails"]
    assert (row["memory"]["text"], row["memory"]["percent"]) == ("64.0 MiB of 256 MiB", 25.0)
    assert row["labels"] == [("a", "1"), ("b", "2")]
    assert row["addresses"] == ["10.0.0.1"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (jail(state="failed"), "critical: web1 has failed"),
        (jail(state="stuck"), "critical: web1 is stuck"),
        (jail(state="haunted"), "critical: web1 is unknown"),
        (jail(state="frozen"), "notice: web1 is frozen"),
        (jail(state="stopped", autostart=True), "warning: web1 is stopped, and is to run whenever the host does"),
        (jail(restarts=3), "warning: web1 was started again 3 times in a row by its policy"),
        (
            jail(restarts=3, ended={"how": "exited", "at": "now"}),
            "warning: web1 was started again 3 times in a row by its policy",
        ),
        (jail(message="its document is damaged"), "warning: web1 has a problem"),
        (used(oom_kills=2), "warning: web1 had 2 processes killed for want of memory"),
        (used(memory_working=250 * MEBIBYTE), "warning: web1 uses 98 % of the memory that it may"),
        (used(pids=128), "warning: web1 uses 100 % of the processes that it may"),
        (
            jail(disk={"stale": True, "template": "debian"}),
            "notice: web1 stands on another generation of template debian than the current one",
        ),
    ],
)
def test_what_is_wrong_with_a_jail_is_said(row, problem):
    assert said(host(row)) == [problem]


def test_a_jail_that_was_stopped_on_purpose_is_no_problem():
    assert said(host(jail(state="stopped", autostart=False))) == []


def ended(how, at="2026-11-22T10:05:00Z", **row):
    return jail(ended={"how": how, "at": at, "exit_status": 0, "message": ""}, **row)


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (ended("powered_off", state="stopped"), "powered off from inside, 2026-11-22T10:05:00Z"),
        (ended("stopped", state="stopped"), "stopped, 2026-11-22T10:05:00Z"),
        (ended("rebooted"), "rebooted from inside, 2026-11-22T10:05:00Z"),
        (ended("stopped"), ""),
        (ended("abducted", state="stopped"), ""),
        (ended("exited", at=None, state="failed"), "ended by itself"),
        (jail(state="stopped", ended=None), ""),
        (jail(state="stopped", ended="yesterday"), ""),
    ],
)
def test_how_and_when_a_jail_ended_is_shown_unless_it_was_started_again_on_purpose(row, shown):
    assert report([host(row)])["jails"][0]["ended"] == shown


def test_a_power_off_is_told_where_a_jail_is_to_run_and_a_reboot_is_no_problem():
    (problem,) = report([host(ended("powered_off", state="stopped", autostart=True))])["problems"]
    assert problem["detail"] == "powered off from inside, 2026-11-22T10:05:00Z"
    assert said(host(ended("rebooted", restarts=1))) == []


def test_cache_is_no_use_of_memory():
    assert said(host(used(memory=256 * MEBIBYTE, memory_working=10 * MEBIBYTE))) == []


def test_a_host_that_is_down_or_does_not_answer_comes_first():
    down = {"name": "node2", "answer": {"unreachable": True, "msg": "timed out"}}
    failed = {"name": "node3", "answer": {"failed": True, "msg": "no python"}}
    silent = {"name": "node4", "answer": {}}
    assert said(host(jail(state="failed")), down, failed, silent) == [
        "critical: node2 cannot be reached",
        "critical: node3 did not tell of its jails",
        "critical: node4 did not tell of its jails",
        "critical: web1 has failed",
    ]
    assert report([down])["summary"]["hosts_up"] == 0


@pytest.mark.parametrize(("free", "level"), [(50, None), (8, "warning"), (2, "critical")])
def test_a_full_disk_is_found_on_the_file_system_under_the_jails(free, level):
    mounts = [
        {"mount": "/", "size_total": 100, "size_available": 1},
        {"mount": "/var/lib", "size_total": 100, "size_available": free},
        {"mount": "/var/lib/jail", "size_total": 100, "size_available": 1},
    ]
    problems = said(host(facts={"mounts": mounts}))
    assert problems == ([f"{level}: node1 {100 - free} % of the disk below /var/lib/jails is used"] if level else [])


def test_processors_in_use_are_what_two_looks_differ_by():
    before = copy.deepcopy(jail())
    before["resources"].update(at=100.0, used={"cpu_usec": 2_100_000})
    (row,) = report([host(jail(), earlier={"jails": [before]})])["jails"]
    assert row["cpu"]["text"] == "0.45 of 0.50"
    assert row["cpu"]["percent"] == pytest.approx(90.0)


@pytest.mark.parametrize("before", [{}, {"at": 102.0, "used": {"cpu_usec": 1}}, {"at": 1.0, "used": {"cpu_usec": 9e9}}])
def test_one_look_and_a_restart_in_between_give_no_rate(before):
    (row,) = report([host(jail(), earlier={"jails": [jail(resources=before)]})])["jails"]
    assert row["cpu"]["text"] == ""


def test_the_worst_comes_first_and_then_the_order_in_which_people_count():
    rows = [jail("web10"), jail("web2"), jail("web3", state="frozen"), jail("web4", state="failed")]
    assert [row["name"] for row in report([host(*rows)])["jails"]] == ["web4", "web3", "web2", "web10"]
    assert [row["level"] for row in report([host(*rows)])["jails"]] == ["critical", "notice", "", ""]


def test_what_jails_of_a_host_have_in_common_is_one_line_of_the_problems():
    stale = [jail(f"web{number}", state="frozen") for number in range(1, 9)]
    found = report([host(*stale, jail("db", state="failed")), host(stale[0], name="node2")])
    assert [(each["host"], each["jail"], each["what"]) for each in found["problems"]] == [
        ("node1", "db", "has failed"),
        ("node1", "web1, web2, web3, web4, web5 and 3 more", "is frozen"),
        ("node2", "web1", "is frozen"),
    ]
    assert found["summary"]["problems"] == {"critical": 1, "notice": 9}
    assert [row["level"] for row in found["jails"]] == ["critical", *["notice"] * 9]


def test_the_threshold_can_be_moved():
    assert said(host(jail()), warn=20.0) == ["warning: web1 uses 25 % of the memory that it may"]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
JUNK_JAIL = st.dictionaries(
    st.sampled_from(sorted(jail()) + ["disk", "autostart", "exit_status", "ended"]), JUNK, max_size=8
)
JUNK_HOST = st.fixed_dictionaries(
    {"name": JUNK, "answer": JUNK | st.fixed_dictionaries({"jails": st.lists(JUNK_JAIL | JUNK, max_size=3)})},
    optional={"facts": JUNK, "earlier": JUNK, "drained": JUNK},
)


@given(st.lists(JUNK_HOST, max_size=3))
def test_whatever_a_host_answers_there_is_a_report(hosts):
    found = report(hosts)
    assert len(found["hosts"]) == len(hosts)
    assert {problem["level"] for problem in found["problems"]} <= set(LEVELS)


def test_nothing_that_moves_a_cursor_is_shown():
    assert (
        text("a\x1b[2Jb\n\u202ec")
        == "a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}c"
    )
    assert text(["a"]) == ""
    assert len(text("x" * 10_000)) == 500


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (200 * MEBIBYTE, "200 MiB"), (2**60, "1024 PiB")],
)
def test_sizes_are_short(count, shown):
    assert size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(None, ""), (0, "0 s"), (61, "1 min 1 s"), (7200, "2 h 0 min"), (8_640_000, "100 d 0 h")]
)
def test_durations_have_two_units(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("10.0.0.1/32", "10.0.0.1"),
        ("10.0.0.1/24", "10.0.0.1/24"),
        ("fd00::1/128", "fd00::1"),
        ("fd00::1/32", "fd00::1/32"),
    ],
)
def test_a_prefix_is_shown_where_it_says_something(address, shown):
    assert address_of(address) == shown


@given(st.text(), st.text())
def test_any_two_names_can_be_ordered(one, other):
    assert (natural(one) < natural(other)) in (True, False)
