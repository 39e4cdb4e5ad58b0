# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to the host of a jail: who logs in, who becomes root there, and how many connections that takes."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.tests.integration.connection import ssh_server
from ansible_collections.hosting.jails.tests.integration.connection.plays import Plays
from ansible_collections.hosting.jails.tests.integration.connection.ssh_server import Server
from ansible_collections.hosting.jails.tests.integration.connection.talk import Raised, Speaker, Variables
from ansible_collections.hosting.jails.tests.integration.jails import Jail

Connect = Callable[[Variables], Speaker]


@pytest.fixture
def variables(server: Server, jailctl: Path) -> Variables:
    """By ssh, whatever else."""
    return {
        **server.variables,
        "ansible_connection": "hosting.jails.jail",
        "ansible_jailctl_executable": str(jailctl),
    }


def test_a_login_that_is_not_roots_becomes_root_by_sudo(variables: Variables, it: Jail, speakers: Connect) -> None:
    talk = speakers({**variables, "inventory_hostname": it.name, "ansible_user": "deploy"})
    done = talk.run("id -u; cat; exit 7", given=b"'quoted' \xff\n")
    assert (done.status, done.output) == (7, b"0\n'quoted' \xff\n")


def test_a_login_that_may_not_become_root_is_told_how_it_could(
    variables: Variables, it: Jail, speakers: Connect, jailctl: Path
) -> None:
    talk = speakers({**variables, "inventory_hostname": it.name, "ansible_user": "guest"})
    with pytest.raises(Raised) as caught:
        talk.run("true")
    assert caught.value.kind == "AnsibleConnectionFailure"
    assert f"NOPASSWD: {jailctl}" in caught.value.message
    plain = {"ansible_user": "guest", "ansible_jail_host_become_command": ""}
    with pytest.raises(Raised) as caught:
        speakers({**variables, "inventory_hostname": it.name, **plain}).run("true")
    assert "the business of the host's root" in caught.value.message
    assert "ansible_jail_host_become_command" in caught.value.message


def test_what_makes_a_command_one_of_the_hosts_root_can_be_told(
    variables: Variables, it: Jail, speakers: Connect
) -> None:
    own = {"ansible_user": "deploy", "ansible_jail_host_become_command": "sudo --non-interactive --user root"}
    assert speakers({**variables, "inventory_hostname": it.name, **own}).output("id -u") == "0\n"


def test_a_host_without_sshd_is_this_machine_unless_it_has_a_port(
    server: Server, variables: Variables, it: Jail, speakers: Connect
) -> None:
    before = server.connections()
    server.close_masters()
    here = {**variables, "inventory_hostname": it.name, "ansible_jail_host": "localhost", "ansible_port": None}
    assert speakers(here).output("hostname") == f"{it.name}\n"
    assert server.connections() == before
    assert speakers({**here, "ansible_port": server.port, "ansible_host_key_checking": False}).output("hostname")
    assert server.connections() == before + 1
    told = {**variables, "inventory_hostname": it.name, "ansible_jail_host_connection": "local"}
    assert speakers(told).output("hostname") == f"{it.name}\n"
    assert server.connections() == before + 1


def test_the_jails_of_a_host_and_the_host_itself_share_a_connection(
    server: Server, variables: Variables, it: Jail, plays: Plays
) -> None:
    server.close_masters()
    before = server.connections()
    hosts = {
        "one": {"ansible_jail_name": it.name},
        "two": {"ansible_jail_name": it.name},
        "host": {"ansible_connection": "ssh"},
    }
    results = plays.run(hosts, {"raw": "hostname"}, {"raw": "hostname"}, variables=variables, forks=1)
    assert [result["stdout"].strip() for result in results["two"]] == [it.name] * 2
    assert [result["stdout"].strip() == it.name for result in results["host"]] == [False] * 2
    assert server.connections() == before + 1


def test_a_reset_connection_is_made_anew(server: Server, variables: Variables, it: Jail, speakers: Connect) -> None:
    talk = speakers({**variables, "inventory_hostname": it.name})
    talk.run("true")
    masters = server.masters()
    assert masters
    talk.reset()
    assert not set(masters) & set(server.masters())
    before = server.connections()
    talk.run("true")
    assert server.connections() == before + 1


def test_a_play_waits_for_and_resets_connections(way: Variables, it: Jail, plays: Plays) -> None:
    tasks = [
        {"wait_for_connection": {"timeout": 20}},
        {"meta": "reset_connection"},
        {"command": "hostname"},
    ]
    results = plays.run({it.name: {}}, *tasks, variables=way)[it.name]
    assert not any(result["failed"] for result in results), plays.output
    assert results[-1]["stdout"] == it.name


@pytest.fixture(scope="module")
def strict(shared: Path, jailctl: Path) -> Iterator[Server]:
    """An sshd that takes four sessions a connection, and of connections that come at once no more than two."""
    settings = "MaxSessions 4\nMaxStartups 2"
    with ssh_server.serving(shared / "strict", jailctl=jailctl, settings=settings) as made:
        yield made


def test_any_number_of_tasks_at_once_takes_few_connections(
    strict: Server, variables: Variables, it: Jail, plays: Plays
) -> None:
    """With an ordinary sshd, thirty do what twelve do with this one: some fail at random without an arrangement."""
    hosts = {f"jail{number}": {"ansible_jail_name": it.name} for number in range(12)}
    own = {**variables, **strict.variables, "ansible_jail_host_sessions": 3}
    results = plays.run(hosts, {"raw": "sleep 1; echo done"}, {"raw": "echo again"}, variables=own, forks=12)
    assert {name: [row["stdout"].strip() for row in rows] for name, rows in results.items()} == (
        dict.fromkeys(hosts, ["done", "again"])
    ), plays.output
    assert strict.connections() <= 4
    assert not [line for line in strict.log() if "drop connection" in line or "no more sessions" in line]


def test_a_dead_host_is_found_dead_by_all_at_once(
    variables: Variables, it: Jail, speakers: Connect, tmp_path: Path
) -> None:
    """Six that would try in turn took six times as long."""
    slow = tmp_path / "ssh"
    slow.write_text("#!/bin/sh\nsleep 5\nexit 255\n")
    slow.chmod(0o755)
    own = {"ansible_ssh_executable": str(slow), "ansible_control_path_dir": str(tmp_path / "cp")}
    talks = [speakers({**variables, "inventory_hostname": it.name, **own}) for _unused in range(6)]
    for talk in talks:
        talk.memory()  # it has started
    failed: list[str] = []

    def attempt(talk: Speaker) -> None:
        try:
            talk.run("true")
        except Raised as error:
            failed.append(error.kind)

    threads = [threading.Thread(target=attempt, args=(talk,)) for talk in talks]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == ["AnsibleConnectionFailure"] * 6
    assert time.monotonic() - started < 25


def test_a_task_is_delegated_into_the_jail_that_it_names(way: Variables, it: Jail, plays: Plays) -> None:
    """Core leaves the name of the task's own host among the variables of the other."""
    hosts = {
        "first": {"ansible_connection": "local"},
        it.name: {},
        "third": {"ansible_jail_name": it.name},
    }
    tasks = [
        {"command": "hostname", "delegate_to": it.name},
        {"command": "hostname", "delegate_to": "third"},
        {"command": "hostname", "delegate_to": "{{ item }}", "loop": [it.name, "third", "first"]},
    ]
    rows = plays.run(hosts, *tasks, variables=way)["first"]
    assert [row["stdout"] for row in rows[:2]] == [it.name] * 2, plays.output
    here = subprocess.run(["hostname"], capture_output=True, text=True, check=True).stdout.strip()
    assert [item["stdout"] for item in rows[2]["results"]] == [it.name, it.name, here]
