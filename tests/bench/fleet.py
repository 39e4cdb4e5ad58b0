# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks of jail_fleet under measurement: each a program of its own, as Ansible starts it, or a whole playbook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.hosting.jails.plugins.module_utils._engine import install
from ansible_collections.hosting.jails.tests.bench.ground import PREFIX
from ansible_collections.hosting.jails.tests.integration.jails import BUILD

_PROGRAM = """
import json, resource, sys, time
sys.path.insert(0, sys.argv[1])
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet.converge import converge
parameters = json.load(sys.stdin)
begun = time.perf_counter()
result = converge(parameters, check=False, with_diff=False)
taken = time.perf_counter() - begun
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([taken, memory, result["summary"]]))
"""
_SILENT = {"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"}


class Taken(NamedTuple):
    """What a task took: seconds, and MiB at its largest."""

    seconds: float
    memory: float


def document(number: int, template: str) -> dict[str, Any]:
    """One jail of a fleet."""
    addresses = [f"10.24.{number // 250}.{number % 250 + 1}/32", f"fd00:24::{number:x}/128"]
    return {
        "name": f"{PREFIX}fleet{number}",
        "rootfs": {"source": {"template": template}},
        "command": ["sleep", "inf"],
        "ip": {"mode": "vnet", "addresses": addresses},
        "limits": {"memory": "64M", "pids": 32},
    }


def run(jails: list[dict[str, Any]], *, changed: int) -> Taken:
    """Carry out a task in a process of its own; it has to change so many jails."""
    parameters = {
        "jails": jails,
        "defaults": {},
        "fleet": "bench",
        "purge": "none",
        "purge_limit": "25%",
        "allow_empty": False,
        "parallel": None,
        "apply": "live",
        "mode": "converge",
        "plan": None,
        "verbose_results": False,
    }
    command = [install.interpreter(), "-c", _PROGRAM, str(BUILD / "link")]
    done = subprocess.run(command, input=json.dumps(parameters), stdout=subprocess.PIPE, text=True, check=True)
    seconds, memory, summary = json.loads(done.stdout)
    assert (summary["changed"], summary["failed"]) == (changed, 0), summary
    return Taken(seconds, memory)


def playbook(directory: Path, task: dict[str, Any]) -> float:
    """Seconds that a playbook with this one task takes; it has to succeed."""
    book = directory / "book.json"
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    book.write_text(json.dumps([play]))
    environment = {
        **os.environ,
        **_SILENT,
        "ANSIBLE_COLLECTIONS_PATH": str(BUILD / "link"),
        "ANSIBLE_HOME": str(directory),
        "ANSIBLE_LOCAL_TEMP": str(directory / "local"),
        "ANSIBLE_REMOTE_TMP": str(directory / "remote"),
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), str(book)]
    begun = time.perf_counter()
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun
