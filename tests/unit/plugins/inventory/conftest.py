# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``fleet``: jail hosts that are scripts, behind a program called ssh, and the inventory that Ansible makes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]

# ssh [OPTION...] HOST COMMAND: core's plugin puts both last. It notes each call, and lets the host's script answer.
SSH = """#!/bin/sh
for word in "$@"; do host=$command; command=$word; done
printf '%s\\n' "$host" >>"$FAKE/calls"
printf '%s\\n' "$*" >>"$FAKE/arguments.$host"
export command
if [ -x "$FAKE/hosts/$host" ]; then exec "$FAKE/hosts/$host"; fi
echo "ssh: connect to host $host port 22: Connection refused" >&2
exit 255
"""


@pytest.fixture(scope="session")
def reader():
    """A process that reads inventories: see reader.py."""
    in_place = ROOT.parts[-3:] == ("ansible_collections", "hosting", "jails")
    collections = ROOT.parents[2] if in_place else ROOT / ".build" / "link"
    command = [sys.executable, str(Path(__file__).parent / "reader.py"), str(collections)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        process.stdin.close()


class Fleet:
    """Hosts that answer as a test wants them to."""

    def __init__(self, directory, reader):
        self.directory = directory
        self._reader = reader
        self.bin = directory / "bin"
        for name in ("bin", "hosts", "home", "tmp"):
            (directory / name).mkdir()
        self.program("ssh", SSH)
        self.environment = {
            "FAKE": str(directory),
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(directory / "home"),
            "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
        }

    def program(self, name, text):
        """A program on the PATH of Ansible and of all hosts."""
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def host(self, name, *jails, script=None):
        """A host with these jails, or with another answer: a shell script."""
        answer = self.directory / f"answer.{name}"
        answer.write_text(json.dumps([{"state": "running", **jail} for jail in jails], indent=2))
        path = self.directory / "hosts" / name
        path.write_text(f"#!/bin/sh\n{textwrap.dedent(script) if script is not None else f'cat {answer}'}\n")
        path.chmod(0o755)

    def file(self, name, content):
        """A file beside the inventory: a text, or something for YAML."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return str(path)

    def read(self, config, *, before=(), name="test.jails.yml", **request):
        """The inventory of a configuration; see reader.py for the rest of a request."""
        if isinstance(config, dict):
            config = {"plugin": "hosting.jails.jails", **config}
        own = self.file(name, config)
        request = {"sources": [*before, own], **request}
        request["environment"] = {**self.environment, **request.get("environment", {})}
        self._reader.stdin.write(json.dumps(request) + "\n")
        self._reader.stdin.flush()
        answer = json.loads(self._reader.stdout.readline())
        assert "broken" not in answer, answer.get("broken")
        return Inventory(answer)

    def calls(self):
        """The hosts that were asked so far, each as often as it was."""
        path = self.directory / "calls"
        return sorted(path.read_text().split()) if path.exists() else []

    def forget_calls(self):
        (self.directory / "calls").unlink(missing_ok=True)

    def arguments(self, host):
        """The command line of the last ssh to a host."""
        return (self.directory / f"arguments.{host}").read_text().splitlines()[-1]


class Inventory:
    """What Ansible has made of it."""

    def __init__(self, answer):
        self.hosts = answer["hosts"]
        self.groups = answer["groups"]
        self.parents = answer["parents"]
        self.group_vars = answer["group_vars"]
        self.templated = answer["templated"]
        self.warnings = answer["warnings"]

    @property
    def names(self):
        return sorted(self.hosts)

    def warned(self, *words):
        """Whether one warning has all these words."""
        return any(all(word in " ".join(text.split()) for word in words) for text in self.warnings)


@pytest.fixture
def fleet(tmp_path, reader):
    return Fleet(tmp_path, reader)
