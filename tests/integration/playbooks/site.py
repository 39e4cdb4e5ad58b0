# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the collection's playbooks as people do, by their names, against this very machine."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import templates
from ansible_collections.hosting.jails.tests.faults import roots
from ansible_collections.hosting.jails.tests.integration.jails import BUILD, Jail, ansible_environment, nothing_left

PREFIX = "rol-"
TEMPLATE = f"{PREFIX}app"
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
# Nothing listens on port 1: refused at once, as by a host that is down.
DEAD = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "root"}
# It ends at once when it is asked to.
GOOD = "#!/bin/sh\ntrap 'exit 0' TERM\nwhile true; do sleep 1000 & wait $!; done\n"


@dataclass(frozen=True)
class Run:
    """What one run of a playbook came to: exit status, all that it printed, the recap's figures by host."""

    status: int
    output: str
    recap: dict[str, dict[str, int]]

    def changed(self, host: str = "node1") -> int:
        """Number of tasks that changed a host, of a run that has succeeded."""
        assert self.status == 0, self.output
        return self.recap[host]["changed"]


@contextlib.contextmanager
def standing(directory: Path, states: Mapping[str, str]) -> Iterator[Site]:
    """A site of which these jails, by their names, stand on its template in their states; nothing of it is left."""
    site = Site(directory)
    site.release(GOOD)
    with nothing_left(PREFIX):
        try:
            templates.ensure(TEMPLATE, site.variables["jails_templates"][0]["source"])
            for name, state in states.items():
                Jail(name).converge(state=state, **site.variables["jails_defaults"])
            yield site
        finally:
            for name in states:
                Jail(name).remove()
            templates.remove(TEMPLATE)


@dataclass
class Site:
    """An inventory in a directory of its own, in which jails belong to one fleet and have a tiny root file system."""

    directory: Path
    hosts: dict[str, dict[str, Any]] = field(default_factory=lambda: {"node1": {}})
    variables: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.archive = self.directory / "app.tar"
        self.variables = {
            "jails_fleet": "rol",
            "jails_templates": [{"name": TEMPLATE, "source": {"archive": {"path": str(self.archive)}}}],
            "jails_defaults": {"rootfs": {"source": {"template": TEMPLATE}}, "command": ["app"], "init": "none"},
            **self.variables,
        }

    def release(self, program: str) -> None:
        """Put a program called app into the archive that the template is made from."""
        pack(program, into=self.archive)

    def run(self, playbook: str, *arguments: str, **extra: Any) -> Run:
        """Run a playbook; ``extra`` are its extra variables."""
        inventory = self.directory / "hosts.json"
        hosts = {name: {**LOCAL, **variables} for name, variables in self.hosts.items()}
        children = {"jail_hosts": {"hosts": hosts, "vars": self.variables}}
        inventory.write_text(json.dumps({"all": {"children": children}}))
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", str(inventory), playbook]
        command += [*arguments, "--extra-vars", json.dumps(extra)]
        environment = ansible_environment(
            ANSIBLE_REMOTE_TMP=str(BUILD / "ansible" / "tmp"), ANSIBLE_PIPELINING="true", PWD=str(self.directory)
        )
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        return Run(done.returncode, done.stdout + done.stderr, dict(_recap(done.stdout)))


def pack(program: str, *, into: Path) -> None:
    """Make the archive of a tiny root file system that has a program called app."""
    partial = into.with_suffix(".partial")
    shutil.copy(roots.archive(), partial)
    with tarfile.open(partial, "a") as tar:
        info = tarfile.TarInfo("usr/bin/app")
        info.size, info.mode = len(program), 0o755
        tar.addfile(info, io.BytesIO(program.encode()))
    partial.rename(into)


def _recap(output: str) -> list[tuple[str, dict[str, int]]]:
    rows = re.findall(r"^(\S+)\s+: (ok=.*)$", output.partition("PLAY RECAP")[2], re.MULTILINE)
    return [(host, {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", row)}) for host, row in rows]
