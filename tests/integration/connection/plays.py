# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of ansible-playbook against jails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.hosting.jails.tests.integration import jails

Task = dict[str, Any]
Results = dict[str, list[dict[str, Any]]]

_RECORDER = Path(__file__).parents[1] / "modules" / "recorder.py"


def environment(directory: Path) -> dict[str, str]:
    """The environment of an Ansible that keeps its files in a directory, and has no other configuration than this."""
    configuration = directory / "ansible.cfg"
    configuration.touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return {
        **kept,
        "ANSIBLE_CONFIG": str(configuration),
        "ANSIBLE_COLLECTIONS_PATH": str(jails.BUILD / "link"),
        "ANSIBLE_HOME": str(directory / "home"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "local"),
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_GATHERING": "explicit",
    }


class Plays:
    """Runs tasks in jails."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = ""

    def run(
        self,
        hosts: dict[str, dict[str, Any]],
        *tasks: Task,
        variables: dict[str, Any],
        pipelining: bool = True,
        forks: int = 10,
        **play: Any,
    ) -> Results:
        """The results of tasks in jails, by host and task; ``hosts`` are names with their variables.

        A failed task does not keep the next from running, an unreachable host has no further ones.
        """
        book, inventory = self.directory / "book.yml", self.directory / "inventory.json"
        results = self.directory / "results"
        results.unlink(missing_ok=True)
        # By itself: Ansible takes every file of a directory of plugins for one.
        callbacks = self.directory / "callbacks"
        callbacks.mkdir(exist_ok=True)
        shutil.copy(_RECORDER, callbacks)
        inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
        named = [{"name": str(number), "ignore_errors": True, **task} for number, task in enumerate(tasks)]
        book.write_text(json.dumps([{"hosts": "all", "tasks": named, **play}]))
        program = Path(sys.executable).parent / "ansible-playbook"
        done = subprocess.run(
            [program, "--inventory", inventory, "--forks", str(forks), book],
            env={
                **environment(self.directory),
                "ANSIBLE_PIPELINING": str(pipelining),
                "ANSIBLE_CALLBACK_PLUGINS": str(callbacks),
                "ANSIBLE_CALLBACKS_ENABLED": "recorder",
                "JAILS_TEST_RESULTS": str(results),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=600,
            check=False,
        )
        self.output = (done.stdout + done.stderr).decode(errors="replace")
        assert results.exists(), self.output
        return self._by_host([json.loads(line) for line in results.read_text().splitlines()])

    @staticmethod
    def _by_host(rows: list[dict[str, Any]]) -> Results:
        found: Results = {}
        for row in rows:
            found.setdefault(row["_host"], []).append(row)
        return found

    def run_one(self, name: str, *tasks: Task, variables: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
        """The same for one jail."""
        return self.run({name: {}}, *tasks, variables=variables, **options)[name]

    def succeed(self, name: str, *tasks: Task, variables: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
        """The same for tasks that must not fail."""
        results = self.run_one(name, *tasks, variables=variables, **options)
        failed = [(task, result) for task, result in zip(tasks, results) if result["failed"]]
        assert not failed and len(results) == len(tasks), (failed, self.output)
        return results
