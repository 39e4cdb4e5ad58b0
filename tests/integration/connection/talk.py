# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other end of speaker.py: a connection into a jail, for tests to talk by."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.hosting.jails.tests.integration.connection.plays import environment

Variables = dict[str, Any]


class Done(NamedTuple):
    """A command that was run."""

    status: int
    output: bytes
    errors: bytes


class Raised(Exception):
    """What the plugin has raised: the name of the exception's class, and its text."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message


class Speaker:
    """A connection into a jail, in a process of its own: see speaker.py."""

    def __init__(self, variables: Variables, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("speaker.py"))],
            env=environment(directory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say(variables)

    def _say(self, what: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def _ask(self, **request: Any) -> dict[str, Any]:
        self._say(request)
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the speaker has ended"
        answer: dict[str, Any] = json.loads(line)
        if "raised" in answer:
            raise Raised(answer["raised"], answer["message"])
        return answer

    def run(self, command: str, *, given: bytes = b"") -> Done:
        answer = self._ask(do="exec", command=command, input=base64.b64encode(given).decode())
        return Done(answer["status"], base64.b64decode(answer["output"]), base64.b64decode(answer["errors"]))

    def output(self, command: str) -> str:
        """What a command prints; it has to succeed."""
        done = self.run(command)
        assert done.status == 0, done
        return done.output.decode()

    def put(self, ours: object, theirs: str) -> None:
        self._ask(do="put_file", arguments=[str(ours), theirs])

    def fetch(self, theirs: str, ours: object) -> None:
        self._ask(do="fetch_file", arguments=[theirs, str(ours)])

    def reset(self) -> None:
        self._ask(do="reset", arguments=[])

    def memory(self) -> int:
        """The most that its process has needed so far, in bytes."""
        return int(self._ask(do="memory")["kibibytes"]) << 10

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)
