# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ordinary plays in ten jails on three hosts: found by the inventory, entered through their hosts, no sshd in them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hosting.jails.tests.hosts import access, archives
from ansible_collections.hosting.jails.tests.hosts.host import Host
from ansible_collections.hosting.jails.tests.integration.fleet.runs import Controller

_PACKAGE = "greeter"
_GREETER = '#!/bin/sh\n. /etc/greeter.conf\necho "$GREETING"\n'
# Ten jails: four, three and three.
_JAILS = {1: ["app[1:4]"], 2: ["app[5:7]"], 3: ["app[8:10]"]}
_VARIABLES: dict[str, Any] = {
    "jails_templates": [{"name": "debian", "source": {"archive": {"path": f"{archives.SHOWN}/debian.tar"}}}],
    "jails_fleet": "apps",
    "jails_purge": "absent",
    "fleet_allow_empty": True,
    "fleet_purge_limit": "100%",
    "jails_defaults": {
        "rootfs": {"source": {"template": "debian"}},
        "command": ["sleep", "100000"],
        "limits": {"memory": "256M", "pids": 50},
        "labels": {"customer": "acme"},
        "stop": {"timeout": 2},
    },
}
_SOURCE = {
    "plugin": "hosting.jails.jails",
    "hosts_from": [access.GROUP],
    "filters": [{"include": "jail_labels.customer | default('') == 'acme'"}, {"exclude": "true"}],
    "group_by": ["host"],
    "compose": {"ansible_python_interpreter": "'/usr/bin/python3'"},
}
_TASKS = [
    {
        "name": "Carry the package into the jail",
        "ansible.builtin.copy": {"src": "{{ package }}", "dest": "/root/greeter.deb", "mode": "0644"},
    },
    {
        "name": "Install it",
        "ansible.builtin.command": {"cmd": "dpkg --install /root/greeter.deb", "creates": "/usr/bin/greeter"},
    },
    {
        "name": "Configure it",
        "ansible.builtin.template": {"src": "greeter.conf.j2", "dest": "/etc/greeter.conf", "mode": "0600"},
        "register": "configured",
    },
    {"name": "Run it", "ansible.builtin.command": {"cmd": "greeter"}, "changed_when": False, "register": "greeting"},
    {
        "name": "Look who runs it",
        "ansible.builtin.raw": "cat /proc/self/uid_map",
        "changed_when": False,
    },
]


@pytest.fixture(scope="module")
def controller(hosts: list[Host], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """Ten running jails, of which the controller knows nothing but their hosts."""
    made = Controller(tmp_path_factory.mktemp("apps"), hosts[:3])
    entries = "{{ jails_by_number[inventory_hostname | regex_search('[0-9]+$')] | default([]) }}"
    by_number = {str(number): [{"name": name} for name in names] for number, names in _JAILS.items()}
    made.describe(**_VARIABLES, jails_by_number=by_number, jails_of_all=entries)
    made.succeed("hosting.jails.site")
    yield made
    made.describe(**_VARIABLES, jails_of_all=[])
    made.succeed("hosting.jails.site")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian package with one program."""
    root = tmp_path_factory.mktemp("package") / _PACKAGE
    control = (
        f"Package: {_PACKAGE}\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: says\n"
    )
    for name, content, mode in (("DEBIAN/control", control, 0o644), ("usr/bin/greeter", _GREETER, 0o755)):
        file = root / name
        file.parent.mkdir(parents=True)
        file.write_text(content, encoding="utf-8")
        file.chmod(mode)
    root.chmod(0o755)
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root], check=True, capture_output=True)
    return root.with_suffix(".deb")


@pytest.mark.parametrize("pipelining", [True, False])
def test_ordinary_modules_install_and_configure_a_package_in_ten_jails(
    controller: Controller, package: Path, pipelining: bool
) -> None:
    directory = controller.directory
    source = directory / "apps.jails.yml"
    source.write_text(yaml.safe_dump(_SOURCE), encoding="utf-8")
    greeting = "Grüße aus {{ inventory_hostname }} über " + f"Pipelining {pipelining}"
    (directory / "greeter.conf.j2").write_text(f"GREETING='{greeting}'\n", encoding="utf-8")
    book = controller.write(
        {"hosts": "jails", "gather_facts": True, "vars": {"package": str(package)}, "tasks": _TASKS}
    )
    run = controller.succeed(book, "--inventory", str(source), pipelining=pipelining)
    jails = {f"app{number}" for number in range(1, 11)}
    assert {name for name, counts in run.recap().items() if counts["ok"]} == jails
    said = {row["_host"]: row["stdout"] for row in run.results if row.get("cmd") == ["greeter"]}
    assert said == {name: f"Grüße aus {name} über Pipelining {pipelining}" for name in jails}
    again = controller.succeed(book, "--inventory", str(source), pipelining=pipelining)
    assert again.changed() == dict.fromkeys(jails, 0)
