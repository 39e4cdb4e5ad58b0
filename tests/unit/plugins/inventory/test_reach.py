# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How hosts are reached, and what their jails get of it."""

from __future__ import annotations

import shlex

import pytest

# A host that runs what it is asked to run, with programs of a test.
RUN = 'exec sh -c "$command"'


def connection(variables):
    return {name: value for name, value in variables.items() if name.startswith("ansible_")}


def test_ssh_gets_what_the_file_says(fleet):
    entry = {
        "name": "lab",
        "address": "192.0.2.7",
        "port": 2222,
        "user": "operator",
        "private_key_file": "/keys/lab",
        "ssh_args": "-o ProxyJump=gate.example.org",
    }
    fleet.host("192.0.2.7", {"name": "web1"})
    found = fleet.read({"hosts": [entry]})
    called = fleet.arguments("192.0.2.7")
    for option in ("Port=2222", 'User="operator"', 'IdentityFile="/keys/lab"', "ProxyJump=gate.example.org"):
        assert f"-o {option} " in called
    assert " -tt " not in called
    assert connection(found.hosts["web1"]) == {
        "ansible_connection": "hosting.jails.jail",
        "ansible_host": "192.0.2.7",
        "ansible_jail_host_connection": "ssh",
        "ansible_jail_name": "web1",
        "ansible_port": 2222,
        "ansible_ssh_common_args": "-o ProxyJump=gate.example.org",
        "ansible_ssh_private_key_file": "/keys/lab",
        "ansible_user": "operator",
    }


def test_a_connection_is_shared_with_the_plays_as_the_user_configured_it(fleet):
    fleet.host("node1")
    fleet.read({"hosts": ["node1"]})
    called = fleet.arguments("node1")
    assert "ControlPersist=60s" in called
    assert "ControlPath=" in called
    assert "StrictHostKeyChecking" not in called
    fleet.read({"hosts": ["node1"]}, environment={"ANSIBLE_HOST_KEY_CHECKING": "false", "ANSIBLE_TIMEOUT": "3"})
    assert "StrictHostKeyChecking=no" in fleet.arguments("node1")
    assert "ConnectTimeout=3" in fleet.arguments("node1")


def test_jailctl_is_asked_for_a_list(fleet):
    fleet.host("node1", script=RUN)
    fleet.program("id", "#!/bin/sh\necho 0\n")
    fleet.program("fakectl", '#!/bin/sh\n[ "$*" = "list --json" ] && echo \'[{"name": "web1"}]\'\n')
    found = fleet.read({"hosts": ["node1"], "jailctl": f"{fleet.bin}/fakectl"})
    assert found.names == ["web1"]
    assert found.hosts["web1"]["ansible_jailctl_executable"] == f"{fleet.bin}/fakectl"


def test_a_path_of_jailctl_is_no_shell(fleet):
    fleet.host("node1", script=RUN)
    found = fleet.read({"hosts": ["node1"], "jailctl": "/no where; touch owned"})
    assert found.warned("No jails of node1", "no jail host yet")
    assert not (fleet.directory / "owned").exists()


@pytest.mark.parametrize(("uid", "calls"), [("0", []), ("1000", ["-n", ";"])])
def test_root_is_become_by_sudo_where_the_user_is_not_root(fleet, uid, calls):
    fleet.host("node1", script=RUN)
    fleet.program("id", f"#!/bin/sh\necho {uid}\n")
    fleet.program("fakectl", "#!/bin/sh\necho '[]'\n")
    fleet.program("sudo", '#!/bin/sh\nprintf "%s ;" "$1" >>"$FAKE/sudo"\nshift\nexec "$@"\n')
    found = fleet.read({"hosts": ["node1"], "jailctl": f"{fleet.bin}/fakectl"})
    assert found.warnings == []
    path = fleet.directory / "sudo"
    assert (path.read_text().split() if path.exists() else []) == calls


def test_root_is_become_as_the_variables_of_the_host_say(fleet):
    """With a password, which the become plugin sends when it is asked for."""
    fleet.host("node1", script=RUN)
    fleet.program("fakectl", '#!/bin/sh\necho \'[{"name": "web1"}]\'\n')
    fleet.program(
        "sudo",
        """#!/bin/sh
while [ "${1#-}" != "$1" ]; do case $1 in -p) prompt=$2; shift;; -u) shift;; esac; shift; done
printf '%s' "$prompt" >&2; read -r said
[ "$said" = hunter2 ] || { echo 'Sorry, try again.' >&2; exit 1; }
exec "$@"
""",
    )
    entry = {"name": "node1", "become": True, "vars": {"ansible_become_password": "hunter2"}}
    found = fleet.read({"hosts": [entry], "jailctl": f"{fleet.bin}/fakectl"})
    assert found.warnings == []
    assert found.names == ["web1"]
    assert not [name for name in found.hosts["web1"] if "become" in name]


def test_nobody_becomes_root_where_that_is_said(fleet):
    fleet.host("node1", script=RUN)
    fleet.program("id", "#!/bin/sh\necho 1000\n")
    fleet.program("fakectl", "#!/bin/sh\necho '[]'\n")
    fleet.program("sudo", "#!/bin/sh\nexit 1\n")
    found = fleet.read({"hosts": [{"name": "node1", "become": False}], "jailctl": f"{fleet.bin}/fakectl"})
    assert found.warnings == []


def test_this_machine_is_asked_without_ssh(fleet):
    fleet.program("id", "#!/bin/sh\necho 0\n")
    fleet.program("fakectl", '#!/bin/sh\necho \'[{"name": "web1"}]\'\n')
    for entry in ("localhost", {"name": "lab", "connection": "local"}):
        found = fleet.read({"hosts": [entry], "jailctl": f"{fleet.bin}/fakectl"})
        assert connection(found.hosts["web1"]) == {
            "ansible_connection": "hosting.jails.jail",
            "ansible_host": "localhost",
            "ansible_jail_host_connection": "local",
            "ansible_jail_name": "web1",
            "ansible_jailctl_executable": f"{fleet.bin}/fakectl",
        }
    assert fleet.calls() == []


def test_this_machine_can_be_asked_by_ssh(fleet):
    fleet.host("127.0.0.1", {"name": "web1"})
    found = fleet.read({"hosts": [{"name": "localhost", "address": "127.0.0.1", "port": 2222}]})
    assert found.hosts["web1"]["ansible_jail_host_connection"] == "ssh"


HOSTS = """
all:
  vars:
    ansible_ssh_common_args: "-o ProxyJump={{ gate }}"
    gate: gate.example.org
  children:
    jail_hosts:
      vars: {ansible_user: operator}
      hosts:
        node1: {ansible_host: "{{ address }}", address: 192.0.2.1, ansible_port: 2201}
        node2: {ansible_host: 192.0.2.2}
        node3: {ansible_host: 192.0.2.3}
    others:
      hosts: {web: , node9: }
"""


@pytest.fixture
def known(fleet):
    """``known(options)``: an inventory of hosts that an earlier source has."""
    for number in (1, 2, 3):
        fleet.host(f"192.0.2.{number}", {"name": f"web{number}"})
    before = fleet.file("hosts.yml", HOSTS)
    return lambda options, **request: fleet.read(options, before=[before], **request)


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["jail_hosts"], ["web1", "web2", "web3"]),
        (["node2"], ["web2"]),
        (["node?", "!node9"], ["web1", "web2", "web3"]),
        (["jail_*", "!node2"], ["web1", "web3"]),
        (["all", "!others"], ["web1", "web2", "web3"]),
        (["ungrouped"], []),
    ],
)
def test_hosts_of_earlier_sources_are_chosen_by_name_and_group(known, patterns, names):
    found = known({"hosts_from": patterns})
    assert [name for name in found.names if "jail_name" in found.hosts[name]] == names
    assert found.warnings == []


def test_hosts_of_earlier_sources_are_reached_by_their_own_variables(fleet, known):
    found = known({"hosts_from": ["node1"]})
    called = fleet.arguments("192.0.2.1")
    assert "Port=2201" in called
    assert 'User="operator"' in called
    assert "ProxyJump=gate.example.org" in called
    assert connection(found.hosts["web1"]) == {
        "ansible_connection": "hosting.jails.jail",
        "ansible_host": "192.0.2.1",
        "ansible_jail_host_connection": "ssh",
        "ansible_jail_name": "web1",
        "ansible_port": 2201,
        "ansible_ssh_common_args": "-o ProxyJump=gate.example.org",
        "ansible_user": "operator",
    }


def test_variables_in_files_and_on_the_command_line_count(fleet, known):
    fleet.file("group_vars/jail_hosts.yml", {"ansible_user": "deploy"})
    fleet.file("host_vars/node2.yml", {"ansible_port": 2202})
    known({"hosts_from": ["jail_hosts"]}, extra_vars=[{"ansible_ssh_private_key_file": "/keys/all"}])
    assert 'User="deploy"' in fleet.arguments("192.0.2.1")
    assert "Port=2202" in fleet.arguments("192.0.2.2")
    assert 'IdentityFile="/keys/all"' in fleet.arguments("192.0.2.3")


def test_a_variable_that_cannot_be_templated_is_a_matter_of_that_host(fleet, known):
    fleet.file("host_vars/node2.yml", {"ansible_user": "{{ nobody_knows }}"})
    found = known({"hosts_from": ["jail_hosts"]})
    assert "web1" in found.names
    assert "web2" not in found.names
    assert found.warned("No jails of node2", "ansible_user", "nobody_knows")


def test_hosts_of_both_kinds_are_asked(fleet, known):
    fleet.host("lab", {"name": "web0"})
    found = known({"hosts": ["lab"], "hosts_from": ["node1"]})
    assert {found.hosts[name]["jail_host"] for name in ("web0", "web1")} == {"lab", "node1"}


def test_a_plugin_that_nobody_has_is_a_matter_of_that_host(fleet):
    fleet.host("node1", {"name": "web1"})
    found = fleet.read({"hosts": ["node1", {"name": "node2", "connection": "no.such.thing"}]})
    assert found.names == ["web1"]
    assert found.warned("No jails of node2", "no connection plugin 'no.such.thing'")


def test_options_of_ssh_with_spaces_survive(fleet):
    fleet.host("node1", {"name": "web1"})
    arguments = "-o 'ProxyCommand=nc -x proxy %h %p'"
    found = fleet.read({"hosts": [{"name": "node1", "ssh_args": arguments}]})
    assert shlex.split(arguments)[1] in fleet.arguments("node1")
    assert found.hosts["web1"]["ansible_ssh_common_args"] == arguments
