# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to the hosts: a key, their keys, a configuration for ssh and an inventory for Ansible."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import yaml
from ansible_collections.hosting.jails.tests.hosts import connect, keys, places
from ansible_collections.hosting.jails.tests.hosts.host import Host

GROUP = "jail_hosts"


def ensure_key(prefix: str) -> str:
    """The public key of whoever manages a set."""
    key = _key(prefix)
    if not key.exists():
        keys.make(key, f"{prefix} hosts")
    return key.with_suffix(".pub").read_text(encoding="utf-8")


def inventory(prefix: str) -> Path:
    """Ansible's inventory of a set."""
    return places.directory(prefix) / "inventory.yml"


def ssh_config(prefix: str) -> Path:
    """Configuration for ssh -F: hosts by their names and by their addresses."""
    return places.directory(prefix) / "ssh_config"


def write(prefix: str, hosts: Sequence[Host]) -> None:
    """Write all that, for the hosts of a set."""
    known = places.directory(prefix) / "known_hosts"
    lines = [f"{host.name},{host.address},{host.address6} {host.host_key}\n" for host in hosts]
    known.write_text("".join(lines), encoding="utf-8")
    ssh_config(prefix).write_text(_ssh_config(prefix, hosts, known), encoding="utf-8")
    inventory(prefix).write_text("---\n" + yaml.safe_dump(_inventory(prefix, hosts), sort_keys=False), encoding="utf-8")
    _sockets(prefix).mkdir(mode=0o700, exist_ok=True)


def hang_up(prefix: str) -> None:
    """End the connections that ssh keeps open for the next task: the next hosts have the same names."""
    directory = _sockets(prefix)
    for name in os.listdir(directory) if directory.is_dir() else []:
        command = ["ssh", "-F", "none", "-o", f"ControlPath={directory / name}", "-O", "exit", "anyone"]
        subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL)


def _key(prefix: str) -> Path:
    return places.directory(prefix) / "key"


def _sockets(prefix: str) -> Path:
    return places.runtime(prefix) / "ssh"


def _ssh_config(prefix: str, hosts: Sequence[Host], known: Path) -> str:
    """A host that is gone without a word is noticed after six seconds, as its cut connections must not hang a test."""
    names = "".join(f"Host {host.name}\n  HostName {host.address}\n" for host in hosts)
    return f"""{names}Host *
  User root
  IdentityFile {_key(prefix)}
  IdentitiesOnly yes
  UserKnownHostsFile {known}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  ProxyCommand /usr/bin/python3 -I -S {Path(connect.__file__).resolve()} {places.network(prefix)} %h %p
  ProxyUseFdpass yes
  ServerAliveInterval 2
  ServerAliveCountMax 3
"""


def _inventory(prefix: str, hosts: Sequence[Host]) -> dict[str, object]:
    variables = {
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_remote_tmp": "~/.ansible/tmp",
        "ansible_ssh_common_args": f"-F {ssh_config(prefix)}",
        "ansible_control_path_dir": str(_sockets(prefix)),
    }
    members = {host.name: {"ansible_host": host.address, "host_address6": host.address6} for host in hosts}
    return {GROUP: {"hosts": members, "vars": variables}}
