# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection as a user has it: its archive installed, his own directory, nothing of a checkout in sight."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hosting.jails.tests.hosts import access, archives
from ansible_collections.hosting.jails.tests.hosts.host import Host
from ansible_collections.hosting.jails.tests.integration import jails

_SITE = {
    "jails_templates": [{"name": "debian", "source": {"archive": {"path": f"{archives.SHOWN}/debian.tar"}}}],
    "jails_defaults": {"rootfs": {"source": {"template": "debian"}}, "command": ["sleep", "100000"]},
    "jails": [{"name": "web1", "labels": {"role": "web"}}],
}
_JAILS = {"plugin": "hosting.jails.jails", "hosts_from": ["jail_hosts"], "keyed_groups": [{"key": "jail_labels.role"}]}
_OWN = [
    {
        "hosts": "web1",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.copy": {"content": "{{ ansible_connection }}", "dest": "/root/how", "mode": "0644"}},
            {"ansible.builtin.command": "cat /proc/sys/kernel/hostname /root/how", "register": "said"},
            {"ansible.builtin.assert": {"that": "said.stdout_lines == ['web1', 'hosting.jails.jail']"}},
        ],
    },
    {
        "hosts": "jail_hosts",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.set_fact": {"names": "{{ [{'name': 'web[1:2]'}] | hosting.jails.expand }}"}},
            {"hosting.jails.jail_info": {"names": "{{ names | map(attribute='name') | difference(['web2']) }}"}},
            {
                "ansible.builtin.import_role": {"name": "hosting.jails.fleet"},
                "vars": {
                    "fleet_jails": [],
                    "fleet_purge": "absent",
                    "fleet_allow_empty": True,
                    "fleet_purge_limit": "1",
                },
            },
            {"hosting.jails.jail_rootfs": {"template": "debian", "state": "absent"}},
        ],
    },
]


class User:
    """Somebody with a home, and a directory with playbooks and inventories of his own."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.project = home / "project"
        (self.project / "group_vars").mkdir(parents=True)

    def write(self, name: str, content: Any) -> None:
        """Write a file of the project, as YAML."""
        (self.project / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def run(self, *command: str, directory: Path | None = None) -> str:
        """What a program prints, in the project or in a directory; it has to succeed."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MAKE", "PYTHON"))
        }
        programs, directory = str(Path(sys.executable).parent), directory or self.project
        own = {"HOME": str(self._home), "PATH": f"{programs}:{kept['PATH']}", "PWD": str(directory)}
        done = subprocess.run(
            command,
            cwd=directory,
            env={**kept, **own, "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def user(hosts: list[Host], tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    user = User(tmp_path_factory.mktemp("home"))
    user.run("make", "--no-print-directory", "install-collection", directory=jails.CHECKOUT)
    # ansible.cfg: nobody's own configuration counts.
    (user.project / "ansible.cfg").touch()
    (user.project / "hosts.yml").symlink_to(access.inventory(hosts[0].prefix))
    user.write("group_vars/jail_hosts.yml", _SITE)
    user.write("fleet.jails.yml", _JAILS)
    user.write("own.yml", _OWN)
    yield user


def test_playbooks_plugins_and_roles_work_from_a_users_own_directory(user: User, hosts: list[Host]) -> None:
    one = ("-i", "hosts.yml", "--limit", hosts[0].name)
    found = json.loads(user.run("ansible-galaxy", "collection", "list", "hosting.jails", "--format", "json"))
    assert [Path(place).parent.parent for place in found] == [user.project.parent / ".ansible"]
    user.run("ansible-playbook", *one, "hosting.jails.site")
    user.run("ansible-playbook", *one, "hosting.jails.status")
    assert "web1" in (user.project / "jails-status.html").read_text(encoding="utf-8")
    inside = ("-i", "hosts.yml", "-i", "fleet.jails.yml", "--limit", f"{hosts[0].name}:web1")
    user.run("ansible-playbook", *inside, "own.yml")
    assert json.loads(hosts[0].run("jailctl", "list", "--json").stdout) == []
