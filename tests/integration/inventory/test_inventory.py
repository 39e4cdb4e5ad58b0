# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real jails as hosts of Ansible: on this machine, and over real SSH."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hosting.jails.plugins.module_utils._engine import install
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.connection import ssh_server

PREFIX = "inv-"
OURS = {"filters": [{"include": f"jail_name is match('{PREFIX}')"}, {"exclude": True}]}

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture(scope="module")
def three(nothing_left: None) -> Iterator[dict[str, jails.Jail]]:
    """Two jails that run, and one that does not."""
    labels = {"customer": "acme", "note": "{{ 6 * 7 }}"}
    address = {"mode": "vnet", "addresses": ["10.32.0.11/32", "fd00:32::11/128"]}
    sleeper = {"command": ["sleep", "infinity"]}
    with contextlib.ExitStack() as stack:
        jails.jailctl("list", check=True)
        yield {
            "web": stack.enter_context(jails.jail(f"{PREFIX}web", labels=labels, ip=address, **sleeper)),
            "db": stack.enter_context(jails.jail(f"{PREFIX}db", limits={"memory": "256M"}, **sleeper)),
            "off": stack.enter_context(jails.jail(f"{PREFIX}off", state="present", **sleeper)),
        }


@pytest.fixture(scope="module")
def server(nothing_left: None) -> Iterator[ssh_server.Server]:
    """Short names: a path of pytest's own would be too long for the sockets of ssh (unix(7): 108 bytes)."""
    with tempfile.TemporaryDirectory(prefix="inv-") as directory:
        os.chmod(directory, 0o755)
        with ssh_server.serving(Path(directory) / "s", jailctl=Path(install.COMMAND)) as server:
            yield server


Ansible = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def ansible(tmp_path: Path) -> Ansible:
    """``ansible(program, *arguments)``: a program of Ansible, in an empty directory with no configuration but ours."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(jails.BUILD / "link"),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
    }

    def run(program: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / program), *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env={**environment, **more}, capture_output=True, text=True, timeout=180, check=False
        )

    return run


def config(path: Path, **options: Any) -> str:
    path.write_text(yaml.safe_dump({"plugin": "hosting.jails.jails", **OURS, **options}))
    return str(path)


def listed(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return plain(json.loads(done.stdout))


def plain(value: Any) -> Any:
    """Without the mark that ansible-inventory puts on a text that is no template."""
    if isinstance(value, dict):
        return (
            value["__ansible_unsafe"] if set(value) == {"__ansible_unsafe"} else {k: plain(v) for k, v in value.items()}
        )
    return [plain(element) for element in value] if isinstance(value, list) else value


def entry(server: ssh_server.Server, name: str) -> dict[str, Any]:
    return {"name": name, "vars": server.variables}


def test_the_jails_of_this_machine_are_what_jailctl_lists(ansible: Ansible, tmp_path: Path, three: Any) -> None:
    found = listed(ansible("ansible-inventory", "-i", config(tmp_path / "jails.yml", hosts=["localhost"]), "--list"))
    rows = {row["name"]: row for row in json.loads(jails.jailctl("list", "--json").stdout)}
    variables = found["_meta"]["hostvars"]
    assert sorted(variables) == [f"{PREFIX}db", f"{PREFIX}off", f"{PREFIX}web"]
    for name, own in variables.items():
        row = {**rows[name], "uptime": own["jail_uptime"]}
        assert {key: own[f"jail_{key}"] for key in row} == row
    web = variables[f"{PREFIX}web"]
    assert (web["jail_state"], variables[f"{PREFIX}off"]["jail_state"]) == ("running", "stopped")
    assert (web["jail_ip"], web["jail_ips"]) == ("10.32.0.11", ["10.32.0.11", "fd00:32::11"])
    assert (web["jail_profile"], web["jail_template"], web["jail_ip_mode"]) == ("service", f"{PREFIX}debian", "vnet")
    assert web["jail_labels"]["note"] == "{{ 6 * 7 }}"
    assert variables[f"{PREFIX}db"]["jail_limits"] == {"memory": "256M"}


def test_jails_are_seen_in_their_groups(ansible: Ansible, tmp_path: Path, three: Any) -> None:
    options = {"group_by": ["state", "host"], "keyed_groups": [{"key": "jail_labels.customer", "prefix": "customer"}]}
    path = config(tmp_path / "jails.yml", hosts=["localhost"], group="prisoners", **options)
    done = ansible("ansible-inventory", "-i", path, "--graph")
    groups = dict(re.findall(r"\|--@(\w+):\n((?:.*\|--inv.*\n)*)", done.stdout))
    members = {name: sorted(re.findall(rf"{PREFIX}\w+", text)) for name, text in groups.items()}
    assert members["customer_acme"] == [f"{PREFIX}web"]
    assert members["jail_state_running"] == [f"{PREFIX}db", f"{PREFIX}web"]
    assert members["jail_state_stopped"] == [f"{PREFIX}off"]
    assert members["prisoners"] == members["jail_host_localhost"] == [f"{PREFIX}db", f"{PREFIX}off", f"{PREFIX}web"]


def test_hosts_are_asked_over_ssh(ansible: Ansible, tmp_path: Path, three: Any, server: ssh_server.Server) -> None:
    dead = {"name": "dead", "address": "127.0.0.1", "port": 1}
    path = config(tmp_path / "two.jails.yml", hosts=[entry(server, "node1"), entry(server, "node2"), dead])
    done = ansible("ansible-inventory", "-i", path, "--list")
    variables = listed(done)["_meta"]["hostvars"]
    assert "No jails of dead" in done.stderr
    assert "Connection refused" in done.stderr
    assert sorted(variables) == sorted(f"{PREFIX}{name}.node{n}" for name in ("db", "off", "web") for n in (1, 2))
    assert variables[f"{PREFIX}web.node2"]["jail_host"] == "node2"
    assert variables[f"{PREFIX}web.node2"]["ansible_port"] == server.port


def test_a_host_key_that_nobody_knows_is_refused_without_a_question(
    ansible: Ansible, tmp_path: Path, server: ssh_server.Server
) -> None:
    unknown = f"-F none -o UserKnownHostsFile={tmp_path}/none -o ControlPath=none"
    variables = {**server.variables, "ansible_ssh_common_args": unknown}
    path = config(tmp_path / "jails.yml", hosts=[{"name": "node1", "vars": variables}])
    done = ansible("ansible-inventory", "-i", path, "--list")
    assert listed(done)["_meta"]["hostvars"] == {}
    assert "No jails of node1" in done.stderr
    assert "Host key verification failed" in done.stderr


def test_a_user_who_may_run_jailctl_by_sudo_asks_as_root(
    ansible: Ansible, tmp_path: Path, three: Any, server: ssh_server.Server
) -> None:
    hosts = [{"name": user, "vars": {**server.variables, "ansible_user": user}} for user in ("deploy", "guest")]
    done = ansible("ansible-inventory", "-i", config(tmp_path / "jails.yml", hosts=hosts), "--list")
    variables = listed(done)["_meta"]["hostvars"]
    assert variables[f"{PREFIX}web"]["jail_host"] == "deploy"
    assert "No jails of guest" in done.stderr
    assert "sudo: a password is required" in done.stderr


def test_a_question_and_a_play_share_a_connection(
    ansible: Ansible, tmp_path: Path, three: Any, server: ssh_server.Server
) -> None:
    server.close_masters()
    before = server.connections()
    path = config(tmp_path / "jails.yml", hosts=[entry(server, "node1")], states=["running"])
    done = ansible("ansible", "-i", path, "jails", "-m", "ansible.builtin.raw", "-a", "true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.connections() == before + 1


PLAY = """
- hosts: jails
  gather_facts: false
  tasks:
    - name: Look with a module
      ansible.builtin.command: cat /proc/1/comm
      register: first
      changed_when: false
    - name: Write a file
      ansible.builtin.copy:
        content: "{{ inventory_hostname }} on {{ jail_host }}: {{ jail_labels.note | default('nothing') }}"
        dest: /root/written
        mode: "0600"
    - name: Say who we are
      ansible.builtin.debug:
        msg: "{{ inventory_hostname }} {{ first.stdout }} {{ ansible_host }}"
"""


@pytest.mark.parametrize("pipelining", ["true", pytest.param("false", marks=pytest.mark.thorough)])
def test_a_play_works_in_the_jails_of_an_ssh_host(
    ansible: Ansible, tmp_path: Path, three: dict[str, jails.Jail], server: ssh_server.Server, pipelining: str
) -> None:
    """The inventory of hosts is another source: their variables are what both the question and the plays go by."""
    hosts = {"jail_hosts": {"hosts": {"node1": {**server.variables, "ansible_python_interpreter": "/nowhere"}}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": hosts}}))
    sources = [
        "-i",
        "hosts.yml",
        "-i",
        config(tmp_path / "fleet.jails.yml", hosts_from=["jail_hosts"], states=["running"]),
    ]
    (tmp_path / "play.yml").write_text(PLAY)
    done = ansible("ansible-playbook", *sources, "play.yml", ANSIBLE_PIPELINING=pipelining)
    assert done.returncode == 0, done.stdout + done.stderr
    assert three["web"].output("cat", "/root/written") == f"{PREFIX}web on node1: {{{{ 6 * 7 }}}}"
    assert three["db"].output("cat", "/root/written") == f"{PREFIX}db on node1: nothing"
    assert f"{PREFIX}off" not in done.stdout


REFRESH = """
- hosts: localhost
  gather_facts: false
  connection: local
  tasks:
    - ansible.builtin.command: "{{ stop }}"
      changed_when: true
    - ansible.builtin.meta: refresh_inventory
    - ansible.builtin.debug:
        msg: "{{ groups.jails | join(' ') }}"
"""


def test_a_play_can_look_again(ansible: Ansible, tmp_path: Path, three: dict[str, jails.Jail]) -> None:
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    path = config(tmp_path / "jails.yml", hosts=["localhost"], states=["running"], **cache)
    (tmp_path / "play.yml").write_text(REFRESH)
    stop = " ".join(jails.jailctl_command("stop", f"{PREFIX}db"))
    try:
        done = ansible("ansible-playbook", "-i", path, "play.yml", "-e", json.dumps({"stop": stop}))
        assert done.returncode == 0, done.stdout + done.stderr
        assert f'"msg": "{PREFIX}web"' in done.stdout
    finally:
        three["db"].converge(state="started")


def test_the_documentation_can_be_read(ansible: Ansible) -> None:
    done = ansible("ansible-doc", "-t", "inventory", "hosting.jails.jails")
    assert done.returncode == 0, done.stderr
    assert "hosts_from" in done.stdout
    assert "plugin: hosting.jails.jails" in done.stdout
