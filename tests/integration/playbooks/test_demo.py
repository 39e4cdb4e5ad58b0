# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a new user types first, on this very machine: make demo, again, changed, and make demo-clean."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.tests.integration.jails import Jail

ROOT = Path(__file__).resolve().parents[3]
JAILS = ("web1", "web2", "web3")
JAILCTL = Path("/usr/local/sbin/jailctl")
# What a jail host has and any other machine has not.
OURS = (
    "/etc/jails",
    "/etc/sysctl.d/60-hosting-jails.conf",
    "/run/jails",
    "/srv/jails-demo",
    "/usr/local/lib/hosting.jails",
    "/usr/local/sbin",
    "/var/lib/hosting.jails",
    "/var/lib/jails",
    "/var/log/jails",
)
SITES = Path("/srv/jails-demo")
SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "kernel/keys/maxkeys",
    "fs/inotify/max_user_instances",
)
HIERARCHIES = ("", "unified", "memory", "pids", "cpu", "cpuacct", "cpuset", "blkio")
# The ids of jails begin here; no process of the host has one of them.
FIRST_JAIL_ID = 524288


def _make(target: str, *arguments: str, succeeds: bool = True) -> str:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    }
    command = ["make", "--no-print-directory", target, f"ARGS={' '.join(arguments)}"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert (done.returncode == 0) is succeeds, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def _changed(output: str) -> int:
    recap = re.search(r"^localhost\s*: ok=\d+\s+changed=(\d+)", output, re.MULTILINE)
    assert recap, output
    return int(recap.group(1))


def _user(pid: str | int) -> int:
    """Read a process's real user id; the owner of its directory in /proc would be root for an undumpable one."""
    status = Path("/proc", str(pid), "status").read_text(encoding="utf-8")
    return int(re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE)[1])


def _is_on_another_machine(pid: str) -> bool:
    """Whether it belongs to a machine that a test beside us has made for itself: faults/machine.py."""
    return "/faults-" in Path("/proc", pid, "cgroup").read_text(encoding="utf-8")


def _processes_of_jails() -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if _user(entry.name) >= FIRST_JAIL_ID and not _is_on_another_machine(entry.name):
                found.append(entry.name)
    return found


def _control_groups() -> list[str]:
    """List the jails' control groups: one tree in version 2, one below each controller that jails use in version 1."""
    parents = [Path("/sys/fs/cgroup", hierarchy, "jails") for hierarchy in HIERARCHIES]
    return sorted(str(path) for parent in parents for path in [parent, *parent.rglob("*")] if path.is_dir())


def _machine() -> dict[str, object]:
    """Record what jails add to a machine, from its mounts to its kernel parameters."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    routes = [*Path("/proc/net/route").read_text(encoding="utf-8").splitlines()]
    return {
        "mounts": sorted(mounts),
        "links": sorted(os.listdir("/sys/class/net")),
        "routes": sorted(routes),
        "rules": subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False).stdout,
        "control groups": _control_groups(),
        "processes": _processes_of_jails(),
        "files": sorted(str(path) for name in OURS for path in [Path(name), *Path(name).rglob("*")] if path.exists()),
        "parameters": [Path("/proc/sys", name).read_text(encoding="utf-8") for name in SYSCTLS],
    }


@pytest.fixture(scope="module", autouse=True)
def before() -> Iterator[dict[str, object]]:
    was_jail_host = JAILCTL.exists()
    if "CI" in os.environ and SITES.exists():
        _make("demo-clean")  # Of a run that was killed.
    if list(Path("/etc/jails").glob("*.json")):
        # On a machine that is there for the tests nobody else's jails can be meant: some test left its own.
        refuse = pytest.fail if "CI" in os.environ else pytest.skip
        refuse("there are jails on this machine, and the demo is not to get in their way")
    _make("demo-clean")
    state = _machine()
    yield state
    if _machine() != state:
        _make("demo-clean")
    if was_jail_host:
        _make("host")


@pytest.fixture(scope="module")
def demo(before: dict[str, object]) -> str:
    return _make("demo")


def _jailctl(*arguments: str) -> str:
    done = subprocess.run(
        [str(JAILCTL), *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_demo_and_its_end_leave_somebody_elses_jail_of_the_same_name_alone(before: dict[str, object]) -> None:
    jail = Jail(JAILS[0])
    jail.converge(state="present", labels={"customer": "acme"})
    try:
        for target in ("demo", "demo-clean"):
            assert f"The demo has not made jail {jail.name}," in _make(target, succeeds=False)
        assert jail.describe()["labels"] == {"customer": "acme"}
    finally:
        jail.remove()
    assert not SITES.exists()


def test_the_demo_ends_with_a_table_of_three_running_jails(demo: str) -> None:
    assert _changed(demo) > 0
    for name in JAILS:
        assert re.search(rf"^\s*{name}\s+running\s", demo, re.MULTILINE), demo


@pytest.mark.parametrize("number", [11, 12, 13])
@pytest.mark.parametrize("network", ["10.20.0.{}", "[fd00:20::{}]"])
def test_each_address_serves_the_page_of_its_own_jail(demo: str, network: str, number: int) -> None:
    with urllib.request.urlopen(f"http://{network.format(number)}/", timeout=60) as page:
        assert page.read().decode() == f"Hello from web{number - 10}.\n"


def test_jailctl_lists_the_three(demo: str) -> None:
    listed = {row["name"]: row for row in json.loads(_jailctl("list", "--json"))}
    assert sorted(listed) == list(JAILS)
    assert {row["state"] for row in listed.values()} == {"running"}


def test_root_in_a_jail_is_nobody_outside(demo: str) -> None:
    assert _jailctl("exec", "web1", "--", "id", "-u") == "0\n"
    pid = {row["name"]: row["pid"] for row in json.loads(_jailctl("list", "--json"))}["web1"]
    assert _user(pid) >= FIRST_JAIL_ID


def test_a_second_run_changes_nothing(demo: str) -> None:
    pids = [row["pid"] for row in json.loads(_jailctl("list", "--json"))]
    assert _changed(_make("demo")) == 0
    assert [row["pid"] for row in json.loads(_jailctl("list", "--json"))] == pids


def test_check_mode_shows_a_changed_limit_and_changes_nothing(demo: str) -> None:
    document = Path("/etc/jails/web1.json")
    stored = document.read_bytes()
    output = _make("demo", "--check", "--diff", "-e", "demo_memory=256M")
    assert _changed(output) == 1
    removed = {line[1:].strip() for line in output.splitlines() if re.match(r"-(?!--)", line)}
    added = {line[1:].strip() for line in output.splitlines() if re.match(r"\+(?!\+\+)", line)}
    assert removed == {"memory: 128M"}
    assert "memory: 256M" in added
    assert all("memory" in line for line in added - {"actions:"}), added
    assert document.read_bytes() == stored
    _make("demo-clean", "--check")
    assert document.read_bytes() == stored


def test_a_killed_process_is_drift_and_the_next_run_repairs_it(demo: str) -> None:
    """Whoever repairs it, supervisor or playbook: after a run the page is back."""
    pid = {row["name"]: row["pid"] for row in json.loads(_jailctl("list", "--json"))}["web2"]
    os.kill(pid, 9)
    _make("demo")
    with urllib.request.urlopen("http://10.20.0.12/", timeout=60) as page:
        assert page.read().decode() == "Hello from web2.\n"


def test_cleaning_up_leaves_the_machine_as_it_was(demo: str, before: dict[str, object]) -> None:
    _make("demo-clean")
    assert _machine() == before
    assert [name for name in OURS if Path(name).exists() and name != str(JAILCTL.parent)] == []
    assert _control_groups() == []
