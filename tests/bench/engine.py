# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine under measurement, and the C program that makes the same system calls on the same jails."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ansible_collections.hosting.jails.plugins.module_utils._engine import converge as engine
from ansible_collections.hosting.jails.plugins.module_utils._engine import install, places, status, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import roots
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import client, protocol, reader
from ansible_collections.hosting.jails.plugins.module_utils._kernel import files
from ansible_collections.hosting.jails.plugins.module_utils._model.wanted import Wanted

COMMAND = ["sleep", "inf"]
SOURCE = Path(__file__).parent / "floor.c"


def milliseconds(work: Callable[[], object], *, shared_by: int = 1) -> float:
    """How long something takes, for each of those that share in it."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e3 / shared_by


class Fleet:
    """Jails that are started and stopped again and again."""

    def __init__(self, names: Sequence[str], template: str) -> None:
        self.names = list(names)
        for name in self.names:
            self._converge(name, state="started", rootfs={"source": {"template": template}}, command=COMMAND)
        self.stop_all()

    @staticmethod
    def _converge(name: str, state: str | None = None, **given: object) -> None:
        engine.converge(Wanted(jail=name, given=given, state=state, part="jail"), apply_mode="live", check=False)

    def start_all(self) -> float:
        """One task with many jails: all requests at once to the warm supervisor; milliseconds a jail."""
        connections = {name: client.connect() for name in self.names}

        def work() -> None:
            for name, connection in connections.items():
                protocol.send(connection, {"do": protocol.START, "jail": name})
            for name, connection in connections.items():
                protocol.raise_failure(name, protocol.receive(connection))

        try:
            return milliseconds(work, shared_by=len(self.names))
        finally:
            for connection in connections.values():
                connection.close()

    def start_each(self) -> float:
        """One request after the other; milliseconds a jail."""
        with client.connect() as connection:

            def work() -> None:
                for name in self.names:
                    protocol.send(connection, {"do": protocol.START, "jail": name})
                    protocol.raise_failure(name, protocol.receive(connection))

            return milliseconds(work, shared_by=len(self.names))

    def stop_all(self) -> float:
        """What tasks do: plan, lock, signal, wait, clear, record; milliseconds a jail."""

        def work() -> None:
            for name in self.names:
                self._converge(name, state="stopped")

        return milliseconds(work, shared_by=len(self.names))

    def jailctl(self, command: str) -> float:
        """``jailctl start`` or ``stop`` of all of them, process and planning included; milliseconds a jail."""
        words = [*install.ensure_engine(), command, *self.names]
        return milliseconds(lambda: run(words), shared_by=len(self.names))

    def remove(self) -> None:
        """Undo everything."""
        for name in self.names:
            self._converge(name, state="absent")

    def init(self, name: str) -> int:
        """Pid of a running jail's init."""
        state = store.read_state(name)
        assert state is not None
        return state.pid


class Floor:
    """floor.c, compiled: see there. ``times`` are milliseconds a jail."""

    def __init__(self, scratch: str, fleet: Fleet) -> None:
        self._program = f"{scratch}/floor"
        self._filter = f"{scratch}/filter"
        self._names = fleet.names
        subprocess.run(["gcc", "-O2", "-Wall", "-Werror", "-o", self._program, str(SOURCE)], check=True)
        ceiling = files.read_json(places.ceiling(fleet.names[0]))
        Path(self._filter).write_bytes(base64.b64decode(ceiling["seccomp"]))
        manifest = roots.read(fleet.names[0])
        assert manifest is not None
        self._lower = roots.lower_directory(manifest)

    def times(self, window: int) -> dict[str, float]:
        """Start all, at most ``window`` at a time, and stop all."""
        command = [self._program, str(window), self._lower, self._filter, *status.hierarchies().roots, "--"]
        output = subprocess.run([*command, *self._names], check=True, stdout=subprocess.PIPE, text=True).stdout
        pairs = (line.split() for line in output.splitlines())
        return {what: int(nanoseconds) / 1e6 / len(self._names) for what, nanoseconds in pairs}


def run(command: Sequence[str]) -> None:
    """Run a command that has to succeed, with nothing to read and nothing to print."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def memory(pid: int) -> dict[str, float]:
    """Rss and Pss of a process in MiB."""
    rows = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return {row[0].rstrip(":"): int(row[1]) / 1024 for row in rows if row[0] in ("Rss:", "Pss:")}


def readers_of(supervisor: int) -> list[int]:
    """The children that read what jails print."""
    return [pid for pid in descendants(supervisor) if Path(f"/proc/{pid}/comm").read_text().rstrip() == reader.NAME]


def descendants(pid: int) -> list[int]:
    """A process and its children."""
    return [pid, *(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def interpreter() -> list[str]:
    """The interpreter that jailctl runs on, with nothing to do."""
    return [install.interpreter(), "-IS", "-c", "pass"]
