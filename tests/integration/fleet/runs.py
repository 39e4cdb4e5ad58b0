# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of ansible-playbook on hosts over ssh, and what came of them on each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.hosting.jails.tests.hosts import access
from ansible_collections.hosting.jails.tests.hosts.host import Host
from ansible_collections.hosting.jails.tests.integration import jails

_RECORDER = Path(__file__).parents[1] / "modules" / "recorder.py"
_RECAP = re.compile(r"^(\S+) +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """A run that is over. ``results`` are those of all tasks on all hosts, as they came."""

    status: int
    output: str
    seconds: float
    results: list[dict[str, Any]]

    def recap(self) -> dict[str, dict[str, int]]:
        """Ansible's own count, by host."""
        names = ("ok", "changed", "unreachable", "failed")
        return {found[1]: dict(zip(names, map(int, found.groups()[1:]))) for found in _RECAP.finditer(self.output)}

    def changed(self) -> dict[str, int]:
        """How many tasks have changed something, by host."""
        return {name: counts["changed"] for name, counts in self.recap().items()}

    def rows(self, host: str) -> dict[str, dict[str, Any]]:
        """What jail_fleet has said of each jail of a host, the last time: a site validates before."""
        *_before, last = [result for result in self.results if result["_host"] == host and "summary" in result]
        return {row["name"]: row for row in last["jails"]}

    def changed_jails(self, host: str) -> set[str]:
        """Jails of a host to which something was done."""
        return {name for name, row in self.rows(host).items() if row["changed"]}


class Controller:
    """Where plays are run from: a directory with an inventory, variables of groups, and Ansible's own files."""

    def __init__(self, directory: Path, hosts: Sequence[Host], **variables: Any) -> None:
        self.directory = directory
        self.hosts = hosts
        self.collections = [jails.BUILD / "link"]
        (directory / "group_vars").mkdir(parents=True)
        (directory / "callbacks").mkdir()
        (directory / "callbacks" / _RECORDER.name).symlink_to(_RECORDER)
        # Empty: nobody's own configuration counts.
        (directory / "ansible.cfg").touch()
        (directory / "hosts.yml").symlink_to(access.inventory(hosts[0].prefix))
        self.describe(**variables)

    def describe(self, **variables: Any) -> None:
        """Say what holds for all hosts."""
        file = self.directory / "group_vars" / f"{access.GROUP}.json"
        file.write_text(json.dumps(variables), encoding="utf-8")

    def write(self, *plays: dict[str, Any]) -> Path:
        """A playbook."""
        book = self.directory / "book.yml"
        book.write_text(yaml.safe_dump(list(plays)), encoding="utf-8")
        return book

    def start(self, book: Path | str, *options: str, pipelining: bool = True) -> subprocess.Popen[str]:
        """Run a playbook, a file or one of the collection's by its name, and do not wait."""
        self._results.unlink(missing_ok=True)
        program = str(Path(sys.executable).parent / "ansible-playbook")
        return subprocess.Popen(
            [program, "--inventory", str(self.directory / "hosts.yml"), *options, str(book)],
            cwd=self.directory,
            env={**self._environment(), "ANSIBLE_PIPELINING": str(pipelining)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str], *, since: float) -> Run:
        """Wait for a run."""
        output, _unused = process.communicate(timeout=900)
        lines = self._results.read_text(encoding="utf-8").splitlines() if self._results.exists() else []
        return Run(process.returncode, output, time.monotonic() - since, [json.loads(line) for line in lines])

    def run(self, book: Path | str, *options: str, pipelining: bool = True) -> Run:
        """Run a playbook."""
        since = time.monotonic()
        return self.finish(self.start(book, *options, pipelining=pipelining), since=since)

    def succeed(self, book: Path | str, *options: str, pipelining: bool = True) -> Run:
        """Run a playbook that must not fail."""
        run = self.run(book, *options, pipelining=pipelining)
        assert run.status == 0, run.output
        return run

    @property
    def _results(self) -> Path:
        return self.directory / "results"

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return {
            **kept,
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "ANSIBLE_CALLBACK_PLUGINS": str(self.directory / "callbacks"),
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(str, self.collections)),
            "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.directory / "home"),
            "ANSIBLE_LOCAL_TEMP": str(self.directory / "tmp"),
            "ANSIBLE_FORKS": "10",
            "ANSIBLE_NOCOLOR": "1",
            "JAILS_TEST_RESULTS": str(self._results),
        }
