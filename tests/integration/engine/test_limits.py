# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits bite: what one jail does with memory, processes and processors is that jail's own trouble."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import devices
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroup_limits import KNOBS, inherits_cpuset
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroup_statistics import read_statistics
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroups import Cgroup
from ansible_collections.hosting.jails.tests.integration.jails import (
    UNTIL_LET_GO,
    Jail,
    jail,
    own_supervisor,
    processes_of,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

MEBIBYTE = 1 << 20
HOG = "[bytearray(1 << 20) for _ in range(10 ** 6)]"
BUSY = "while :; do :; done"


def in_force(it: Jail, name: str) -> str | None:
    if name == "cpuset" and inherits_cpuset(it.cgroup):
        return None
    return KNOBS[name].read(it.cgroup)


def processors_used(it: Jail, seconds: float) -> float:
    """Processor time that a jail uses in a stretch of time, as a share of it: on a busy host it takes longer."""
    began, before = time.monotonic(), read_statistics(it.cgroup)["cpu_usec"]
    time.sleep(seconds)
    used = read_statistics(it.cgroup)["cpu_usec"] - before
    return used / 1e6 / (time.monotonic() - began)


def test_a_memory_hog_is_killed_inside_its_jail_alone() -> None:
    with jail("eng-hog", limits={"memory": "64M", "swap": 0}) as hog, jail("eng-calm") as calm:
        neighbour = calm.pid
        done = hog.run("python3", "-c", HOG)
        assert done.returncode == 128 + 9
        assert (hog.state, calm.state, calm.pid) == ("running", "running", neighbour)
        used = read_statistics(hog.cgroup)
        assert used["memory_peak"] <= 64 * MEBIBYTE
        assert 0 <= used["memory_working"] <= 64 * MEBIBYTE
        assert hog.output("echo", "fine") == "fine\n"


def test_a_jail_whose_command_is_the_hog_fails_and_the_task_of_another_does_not() -> None:
    script = f"{UNTIL_LET_GO}exec python3 -c '[bytearray(1 << 20) for _ in range(10 ** 6)]'"
    with jail("eng-hog", command=["sh", "-c", script], limits={"memory": "48M", "swap": 0}) as hog:
        hog.let_go()
        wait_until(lambda: hog.state == "failed")
        wait_until(lambda: hog.describe()["exit_status"] in (137, -9))
        with jail("eng-calm", command=["sleep", "100"]) as calm:
            assert calm.state == "running"


def test_what_a_jail_writes_to_its_memory_file_systems_counts() -> None:
    with jail("eng-hog", limits={"memory": "64M", "swap": 0}) as it:
        done = it.run("sh", "-c", "head -c 200M /dev/zero > /dev/shm/x")
        assert done.returncode != 0
        assert it.state == "running"


def test_a_fork_bomb_stops_at_its_limit_and_the_host_still_forks() -> None:
    with jail("eng-bomb", limits={"pids": 40}) as it:
        bomb = it.run("sh", "-c", "while :; do sleep 60 >/dev/null 2>&1 & done", timeout=60)
        assert bomb.returncode != 0
        assert len(processes_of("eng-bomb")) <= 40
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        it.converge(state="restarted")
        assert it.state == "running"
        assert len(processes_of("eng-bomb")) == 1


def test_a_jail_that_is_full_of_processes_can_be_stopped_and_its_entry_is_told_why_not() -> None:
    with jail("eng-bomb", limits={"pids": 6}, command=["sh", "-c", "sleep 60 & sleep 60 & sleep 60 & sleep 60"]) as it:
        wait_until(lambda: len(processes_of("eng-bomb")) == 6)
        done = it.run("true")
        assert done.returncode == 125
        assert done.stderr != ""
        it.converge(state="stopped")
        assert processes_of("eng-bomb") == []


def test_half_a_processor_is_half_a_processor() -> None:
    with jail("eng-cpu", command=["sh", "-c", f"({BUSY}) & {BUSY}"], limits={"cpus": 0.5}) as it:
        wait_until(lambda: read_statistics(it.cgroup)["cpu_usec"] > 300_000, what="it to have used some of it")
        assert processors_used(it, 2.0) < 0.62
        assert in_force(it, "cpus") == "0.5"


def test_a_tenth_of_a_processor_leaves_the_jail_usable() -> None:
    with jail("eng-cpu", command=["sh", "-c", BUSY], limits={"cpus": 0.1}) as it:
        assert processors_used(it, 1.5) < 0.2
        assert it.output("echo", "fine") == "fine\n"


MANY = "import os, time; [os.fork() or time.sleep(1000) for _ in range(120)]; time.sleep(1000)"


def test_a_jail_of_many_processes_and_next_to_no_processor_time_can_be_stopped() -> None:
    """An end takes such time as well."""
    with jail("eng-cpu", command=["python3", "-c", MANY], stop={"timeout": 0}) as it:
        wait_until(lambda: len(processes_of("eng-cpu")) >= 120)
        it.converge(limits={"cpus": 0.01})
        it.converge(state="stopped")
        assert (it.state, processes_of("eng-cpu")) == ("stopped", [])


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="there is one processor only")
def test_a_cpuset_holds_all_processes_to_its_processors() -> None:
    with jail("eng-cpu", limits={"cpuset": "1"}) as it:
        assert it.script("grep Cpus_allowed_list /proc/self/status").split() == ["Cpus_allowed_list:", "1"]
        assert it.output("nproc") == "1\n"
        assert (
            "cannot" in it.run("taskset", "-c", "0", "true").stderr or it.run("taskset", "-c", "0", "true").returncode
        )


def test_limits_change_while_the_jail_runs() -> None:
    first: dict[str, Any] = {"memory": "64M", "swap": 0, "pids": 50, "cpus": 0.5, "cpuset": "0", "cpu_weight": 50}
    second: dict[str, Any] = {"memory": "128M", "swap": "16M", "pids": 60, "cpus": 1.25, "cpu_weight": 200}
    with jail("eng-live", command=["sleep", "100"], limits=first) as it:
        pid = it.pid
        assert {name: in_force(it, name) for name in KNOBS} == {
            "memory": str(64 * MEBIBYTE),
            "swap": "0",
            "pids": "50",
            "cpus": "0.5",
            "cpuset": "0",
            "cpu_weight": "50",
        }
        changed = it.converge(state="started", limits=second)
        assert (changed["changed"], changed["restart_required"], it.pid) == (True, False, pid)
        assert {name: in_force(it, name) for name in KNOBS} == {
            "memory": str(128 * MEBIBYTE),
            "swap": str(16 * MEBIBYTE),
            "pids": "60",
            "cpus": "1.25",
            "cpuset": None,
            "cpu_weight": "200",
        }
        assert not it.converge(state="started", limits=second)["changed"]
        assert it.converge(state="started", limits={})["changed"]
        assert {name: in_force(it, name) for name in KNOBS} == dict.fromkeys(KNOBS)
        assert it.pid == pid


def test_memory_can_be_lowered_and_raised_across_the_old_limit_of_swap() -> None:
    """Version 1 control groups refuse a memory limit above that of memory and swap together."""
    with jail("eng-live", command=["sleep", "100"], limits={"memory": "64M", "swap": "8M"}) as it:
        for memory, swap in (("512M", "1M"), ("16M", 0), ("256M", "256M"), ("256M", 0)):
            it.converge(limits={"memory": memory, "swap": swap})
            assert not it.converge(state="started", limits={"memory": memory, "swap": swap})["changed"]


@pytest.mark.parametrize(
    ("limit", "value", "other"),
    [("pids", 50, "70"), ("memory", "64M", str(80 * MEBIBYTE)), ("cpus", 0.5, "0.75"), ("cpuset", "0", "0-1")],
)
def test_a_limit_changed_by_hand_is_drift_and_is_repaired(limit: str, value: Any, other: str) -> None:
    if limit == "cpuset" and (os.cpu_count() or 1) < 2:
        pytest.skip("there is one processor only")
    with jail("eng-drift", command=["sleep", "100"], limits={limit: value}) as it:
        right = in_force(it, limit)
        KNOBS[limit].write(it.cgroup, other)
        seen = it.converge(check=True)
        assert (seen["changed"], len(seen["actions"])) == (True, 1)
        assert seen["actions"][0].startswith(f"limits.set eng-drift: limits.{limit}: ")
        assert in_force(it, limit) != right
        assert it.converge()["changed"]
        assert in_force(it, limit) == right
        assert not it.converge()["changed"]


def test_a_limit_taken_off_by_hand_and_one_added_are_drift() -> None:
    with jail("eng-drift", command=["sleep", "100"], limits={"pids": 50}) as it:
        KNOBS["pids"].write(it.cgroup, None)
        KNOBS["cpus"].write(it.cgroup, "0.5")
        assert it.converge()["changed"]
        assert (in_force(it, "pids"), in_force(it, "cpus")) == ("50", None)


def test_rates_of_a_block_device() -> None:
    device = next(
        (path.name for path in Path("/sys/block").iterdir() if path.name.startswith(("vd", "sd", "nvme"))), ""
    )
    if not device:
        pytest.skip("this host has no disk")
    number = Path(f"/sys/block/{device}/dev").read_text().strip()
    rates = [{"device": f"/dev/{device}", "write_bps": "1M", "read_iops": 1000}]
    with jail("eng-io", command=["sleep", "100"], limits={"io": rates}) as it:
        assert it.describe("resources")["resources"]["limits"]["io"] == rates
        assert not it.converge(state="started", limits={"io": [{**rates[0], "device": f"/dev/{device}"}]})["changed"]
        assert it.converge(limits={"io": [{"device": number, "write_bps": "2M"}]})["changed"]
        assert it.converge(limits={})["changed"]
        assert "io" not in it.describe("resources")["resources"]["limits"]


def test_a_device_that_is_not_there_is_refused_with_its_path() -> None:
    with jail("eng-io", state="stopped") as it:
        with pytest.raises(EngineError) as refusal:
            it.converge(state="started", limits={"io": [{"device": "/dev/no-such", "write_bps": "1M"}]})
        assert refusal.value.path == "limits.io[0].device"
        assert refusal.value.remedy


def test_too_little_memory_to_start_is_told() -> None:
    # What a start takes by itself can be less than the least that can be said.
    environment = {f"LARGE{number}": "x" * 100_000 for number in range(12)}
    with jail("eng-small", state="stopped", environment=environment) as it:
        with pytest.raises(EngineError) as refusal:
            it.converge(state="started", limits={"memory": "1M", "swap": 0})
        assert "limits.memory" in str(refusal.value)
        assert processes_of("eng-small") == []
        it.converge(state="started", limits={})
        assert it.state == "running"


def test_rlimits_are_those_of_every_process() -> None:
    rlimits = {
        "nofile": 333,
        "core": 0,
        "nproc": {"soft": 100, "hard": 200},
        "stack": {"soft": "4M", "hard": "unlimited"},
    }
    with jail("eng-rl", command=["sleep", "100"], rlimits=rlimits) as it:
        for text in (Path(f"/proc/{it.pid}/limits").read_text(), it.output("cat", "/proc/self/limits")):
            rows = {line[:26].strip(): line[26:].split()[:2] for line in text.splitlines()}
            assert rows["Max open files"] == ["333", "333"]
            assert rows["Max core file size"] == ["0", "0"]
            assert rows["Max processes"] == ["100", "200"]
            assert rows["Max stack size"] == [str(4 * MEBIBYTE), "unlimited"]
        assert it.run("sh", "-c", "ulimit -n 400").returncode != 0


def test_a_jail_cannot_lift_its_own_limits() -> None:
    with jail("eng-self", command=["sleep", "100"], limits={"pids": 50}) as it:
        for command in (
            "echo max > /sys/fs/cgroup/pids.max",
            "echo $$ > /sys/fs/cgroup/cgroup.procs",
            "mkdir /sys/fs/cgroup/below",
        ):
            assert it.run("sh", "-c", command).returncode != 0
        assert in_force(it, "pids") == "50"


def test_statistics_speak_of_the_jail() -> None:
    with jail("eng-stat", command=["sh", "-c", BUSY], limits={"memory": "100M", "cpus": 0.2}) as it:
        wait_until(lambda: read_statistics(it.cgroup)["cpu_usec"] > 10_000, what="it to have worked")
        resources = it.describe("resources")["resources"]
        assert resources["limits"] == {"memory": "100M", "cpus": 0.2}
        assert 0 < resources["used"]["memory"] < 100 * MEBIBYTE
        assert resources["used"]["pids"] == 2
        assert resources["used"]["cpu_usec"] > 10_000


@pytest.mark.parametrize("moment", ["before it has limits", "before it has a process"])
def test_a_jail_has_its_limits_where_the_hosts_systemd_has_removed_its_empty_group(
    monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """systemctl daemon-reload does so in the hierarchies of version 1 (cg_trim_v1_controllers())."""
    owner, name = (Cgroup, "create") if moment == "before it has limits" else (devices, "hold")
    original, trimmed = getattr(owner, name), []

    def and_trimmed(group: Cgroup, *arguments: Any) -> Any:
        result = original(group, *arguments)
        if group.name.endswith("eng-trimmed") and not trimmed:
            trimmed.extend(path for path in group.directories if path != group.unified)
            for directory in trimmed:
                os.rmdir(directory)
        return result

    monkeypatch.setattr(owner, name, and_trimmed)
    asked = {"memory": "100M", "cpus": 0.5, "pids": 40}
    with own_supervisor(), jail("eng-trimmed", command=["sleep", "100"], limits=asked) as it:
        if all(path == it.cgroup.unified for path in it.cgroup.directories):
            pytest.skip("this host has no hierarchy of version 1")
        assert it.describe("resources")["resources"]["limits"] == asked
        for directory in it.cgroup.directories:
            assert str(it.pid) in Path(directory, "cgroup.procs").read_text().split()
        assert not it.converge(limits=asked)["changed"]
