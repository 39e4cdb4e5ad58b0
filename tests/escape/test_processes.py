# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root in a jail and the processes of the host and of other jails (E02, E03, E45-E47, E55, E56, E70)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.tests.integration import jails

from . import prisoners
from .prisoners import Outside, Prisoner


def test_root_in_a_jail_cannot_see_processes_of_others(any_jail: Prisoner) -> None:
    any_jail.refuses("see_processes_of_others")


def test_root_in_a_jail_cannot_signal_processes_of_others(any_jail: Prisoner) -> None:
    any_jail.refuses("signal_processes_of_others")
    any_jail.refuses("signal_groups_of_others")


def test_root_in_a_jail_cannot_trace_processes_of_others(any_jail: Prisoner) -> None:
    any_jail.refuses("trace_processes_of_others")


def test_root_in_a_jail_cannot_read_memory_of_others(any_jail: Prisoner) -> None:
    any_jail.refuses("read_memory_of_others")
    any_jail.refuses("write_memory_of_others")


def test_root_in_a_jail_cannot_take_descriptors_of_others(any_jail: Prisoner) -> None:
    any_jail.refuses("take_descriptors_of_others")
    any_jail.refuses("open_pidfds_of_others")


def test_root_in_a_jail_cannot_learn_or_change_priorities_of_others(any_jail: Prisoner) -> None:
    any_jail.refuses("change_priority_of_others")
    any_jail.refuses("move_processors_of_others")
    any_jail.refuses("limit_processes_of_others")


def test_no_process_in_a_jail_leads_to_the_hosts_root(any_jail: Prisoner) -> None:
    any_jail.refuses("find_the_host_in_proc")


def test_a_jail_shares_no_namespace_with_the_host(any_jail: Prisoner) -> None:
    any_jail.refuses("share_namespaces_with_the_host")
    any_jail.refuses("share_users_with_the_host")
    any_jail.refuses("share_the_network_with_the_host")
    any_jail.refuses("enter_namespaces_of_others")


def test_a_jail_has_no_id_of_the_host(any_jail: Prisoner) -> None:
    any_jail.refuses("map_ids_of_the_host")


def test_ids_that_a_jail_does_not_have_cannot_be_taken(any_jail: Prisoner) -> None:
    any_jail.refuses("take_unmapped_ids")


def test_root_in_a_jail_cannot_kill_its_init(any_jail: Prisoner) -> None:
    any_jail.refuses("stop_init")
    before = any_jail.pid
    any_jail.script("kill -9 1")
    assert any_jail.output("cat", "/proc/1/stat").rpartition(")")[2].split()[0] in "SRD"
    assert any_jail.pid == before


def test_the_init_of_a_service_holds_nothing_open(app: Prisoner) -> None:
    app.refuses("find_descriptors_in_init")


def test_jails_have_disjoint_ranges_of_ids(
    app: Prisoner, system: Prisoner, weak: Prisoner, neighbour: Prisoner
) -> None:
    made = (app, system, weak, neighbour)
    maps = [Path(f"/proc/{one.pid}/uid_map").read_text().split() for one in made]
    bases = sorted(int(words[1]) for words in maps)
    assert all(int(words[0]) == 0 and int(words[2]) == 65536 for words in maps)
    assert bases[0] >= 524288
    assert all(higher - lower >= 65536 for lower, higher in zip(bases, bases[1:]))


def test_a_command_is_started_with_three_descriptors(any_jail: Prisoner) -> None:
    script = "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd')))"
    # The third one above is the directory that is being listed.
    assert json.loads(any_jail.output("python3", "-c", script)) == [0, 1, 2, 3]


def test_the_first_program_of_a_jail_is_started_with_three_descriptors(outside: Outside) -> None:
    with outside.prisoner("first", init="none", command=["sleep", "600"]) as first:
        assert sorted(os.listdir(f"/proc/{first.pid}/fd")) == ["0", "1", "2"]


def test_a_command_is_under_the_same_ceiling_as_init(any_jail: Prisoner) -> None:
    wanted = ("CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb", "NoNewPrivs", "Seccomp")

    def ceiling(text: str) -> dict[str, str]:
        fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        return {name: fields[name] for name in wanted}

    init = ceiling(Path(f"/proc/{any_jail.pid}/status").read_text())
    assert ceiling(any_jail.output("cat", "/proc/self/status")) == init
    assert init["CapInh"] == init["CapAmb"] == "0" * 16


def test_a_command_is_in_the_same_control_groups_as_init(app: Prisoner) -> None:
    inside = Path(f"/proc/{app.pid}/cgroup").read_text()
    groups = {line.split(":")[1] or "unified": line.split(":", 2)[2] for line in inside.splitlines()}
    assert groups["unified"] == "/jails/esc-app"
    assert groups.get("pids", "/jails/esc-app") == groups.get("memory", "/jails/esc-app") == "/jails/esc-app"
    with _sleeping(app) as pid:
        assert Path(f"/proc/{pid}/cgroup").read_text() == inside


def test_what_daemonises_in_a_jail_does_not_outlive_it(outside: Outside) -> None:
    """By all means that keep a process from its parents' signals: sessions, ignored signals, a stopped child."""
    script = (
        "trap '' TERM HUP INT; for i in 1 2 3; do setsid sh -c 'trap \"\" TERM HUP; sleep 599 & wait' & done;"
        " setsid sleep 598 & kill -STOP $!; wait"
    )
    with outside.prisoner("daemon", command=["sh", "-c", script], stop={"timeout": 1}) as daemon:
        jails.wait_until(lambda: len(jails.processes_of(daemon.name)) >= 8, what="its processes to start")
        daemon.script("setsid sleep 597 >/dev/null 2>&1 &")
        daemon.converge(state="stopped")
        assert not jails.processes_of(daemon.name)


@pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="the host has no FUSE")
def test_who_waits_for_a_file_system_of_his_own_for_ever_does_not_outlive_his_jail(outside: Outside) -> None:
    caps = {"profile": "vps", "devices": [{"path": "/dev/fuse"}]}
    command = ["python3", "/probe/self_server.py"]
    with outside.prisoner("self", caps=caps, command=command, stop={"timeout": 1}, ip={"mode": "none"}) as waiting:
        jails.wait_until(lambda: "held" in waiting.log(), what="the file")
        waiting.converge(state="stopped")
        assert waiting.state == "stopped"


def test_a_command_entered_into_a_jail_does_not_outlive_it(outside: Outside) -> None:
    with outside.prisoner("joined", stop={"timeout": 1}) as joined, _sleeping(joined) as pid:
        joined.converge(state="stopped")
        jails.wait_until(lambda: not _alive(pid), what="the command to be gone")


def test_users_of_the_host_cannot_read_the_environment_of_a_jail(outside: Outside) -> None:
    with outside.prisoner("secret", environment={"TOKEN": outside.token}, command=["sleep", "600"]) as secret:
        pids = jails.processes_of(secret.name)
        assert any(outside.token in Path(f"/proc/{pid}/environ").read_text() for pid in pids)
        paths = [f"/proc/{pid}/environ" for pid in pids]
        paths += [f"/etc/jails/{secret.name}.json", f"/run/jails/{secret.name}/started.json"]
        assert [path for path in paths if _readable_by_nobody(path)] == []


def _readable_by_nobody(path: str) -> bool:
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        try:
            os.read(os.open(path, os.O_RDONLY), 1)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def _alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


class _sleeping:
    """A command that runs in a jail for the length of a block; its pid on the host."""

    def __init__(self, jail: Prisoner) -> None:
        self.jail, self.marker = jail, f"{jail.outside.token}-{jail.name}"

    def __enter__(self) -> int:
        import subprocess

        code = "import sys; print('ready', flush=True); sys.stdin.read()"
        command = jails.jailctl_command("exec", self.jail.name, "--", "python3", "-c", code, self.marker)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        return prisoners.pid_on_host(self.marker)

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=jails.PATIENCE)
