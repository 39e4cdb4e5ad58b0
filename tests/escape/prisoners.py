# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jails to break out of, what is outside of them to be found, and what became of attacks from inside."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._engine import allocations
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify import verification
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.attack import Outcome
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.catalogue import ATTACKS
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.verification import Finding
from ansible_collections.hosting.jails.tests.integration.jails import Jail

PROBE = Path(__file__).parent / "probe"
PLUGINS = Path(__file__).parents[2] / "plugins"
PREFIX = "esc-"
_DIRECTORIES = "jails-escape-"
TEMPLATE = f"{PREFIX}debian"
ADDRESSES = {"app": "10.21.0.11", "system": "10.21.0.12", "weak": "10.21.0.13", "other": "10.21.0.14"}
# Nobody's: neither a jail's nor the host's.
FOREIGN_ADDRESS = "10.21.9.9"
# For jails on the host's stack: a link of the host, and its address there.
LINK, OF_THE_HOST = "escsh0", "10.21.9.1"


class Prisoner(Jail):
    """A jail that the catalogue of attacks was tried in. The outcomes are kept: one run serves all claims about it."""

    def __init__(self, name: str, outside: Outside) -> None:
        super().__init__(name)
        self.outside = outside
        self._outcomes: dict[str, Outcome] | None = None

    def verdict(self, attack: str) -> Outcome:
        """What became of an attack: ``allowed`` and ``why``."""
        return self.outcomes[attack]

    @property
    def outcomes(self) -> dict[str, Outcome]:
        if self._outcomes is None:
            self._outcomes = self.probe()
        return self._outcomes

    def probe(self, *attacks: str, **facts: Any) -> dict[str, Outcome]:
        """Attack as ``jailctl verify`` does, with further facts or for some attacks only."""
        document, policy = verification.policy_for(self.name)
        return verification.attack(
            self.name, document, policy, attacks or list(ATTACKS), facts=facts, strangers=self.outside.strangers
        )

    def findings(self) -> list[Finding]:
        """The outcomes, compared with the jail's policy."""
        return verification.compare(self.name, verification.policy_for(self.name)[1], self.outcomes)

    def undecided(self) -> list[str]:
        """Attacks that ended in an error that is neither success nor refusal."""
        return [
            f"{name}: {outcome.why}"
            for name, outcome in self.outcomes.items()
            if outcome.allowed is None and re.match(r"E[A-Z]+: |\w+Error: |no end", str(outcome.why))
        ]

    def refuses(self, attack: str) -> None:
        """Assert that an attack came to nothing."""
        assert self.verdict(attack).allowed is False, f"{attack} in {self.name}: {self.verdict(attack)}"

    def allows(self, attack: str) -> None:
        """Assert that something that is no attack in this jail works."""
        assert self.verdict(attack).allowed is True, f"{attack} in {self.name}: {self.verdict(attack)}"


class Outside:
    """What of ours is outside of the jails: volumes, a file of the host's, and what a neighbouring jail has."""

    def __init__(self) -> None:
        # Only root gets into it: the volumes of jails without a user namespace have to be out of others' reach.
        self.directory = Path(tempfile.mkdtemp(prefix=_DIRECTORIES))
        self.token = _token_of(self.directory)
        self.volume, self.read_only = self.directory / "volume", self.directory / "read-only"
        self.host_file = _host_file(self.token)
        self.strangers: list[dict[str, Any]] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Outside:
        held = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(held, fcntl.LOCK_EX)
        self._stack.callback(os.close, held)
        _sweep()
        self._stack.callback(shutil.rmtree, self.directory)
        for path in (self.volume, self.read_only):
            path.mkdir()
            path.chmod(0o777)
        (self.read_only / "file").write_text("read only\n")
        (self.read_only / "file").chmod(0o666)
        self.host_file.write_text(self.token)
        self._stack.callback(self.host_file.unlink)
        self._plant_nodes()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _plant_nodes(self) -> None:
        disk = os.stat("/").st_dev
        nodes = {"disk": (stat.S_IFBLK, disk), "memory": (stat.S_IFCHR, os.makedev(1, 1))}
        nodes |= {"log": (stat.S_IFCHR, os.makedev(1, 11)), "zero": (stat.S_IFCHR, os.makedev(1, 5))}
        for name, (kind, number) in nodes.items():
            os.mknod(self.volume / name, kind, number)
            os.chmod(self.volume / name, 0o666)

    def stranger(self, command: list[str]) -> dict[str, Any]:
        """Run somebody in a jail who has what is looked for, until the end; what that is, and its pid here."""
        process = self._stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        )
        self._stack.callback(process.communicate)
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        return {**found, "host_pid": pid_on_host(found["marker"])}

    @property
    def mounts(self) -> list[dict[str, Any]]:
        return [
            {"source": str(PROBE), "target": "/probe", "read_only": True},
            {"source": str(PLUGINS), "target": "/plugins", "read_only": True},
            {"source": str(self.volume), "target": "/volume"},
            {"source": str(self.read_only), "target": "/read-only", "read_only": True},
        ]

    @contextlib.contextmanager
    def prisoner(self, kind: str, *, state: str = "started", **document: Any) -> Iterator[Prisoner]:
        """A jail that sees the probe and the volumes, unless it is to have no mounts, for the length of a block."""
        prisoner = Prisoner(f"{PREFIX}{kind}", self)
        document.setdefault("rootfs", {"source": {"template": TEMPLATE}})
        document.setdefault("limits", {"memory": "512M", "pids": 256})
        if document.get("mounts") != []:
            document["mounts"] = [*self.mounts, *document.get("mounts", [])]
        if kind in ADDRESSES:
            document["ip"] = {"mode": "vnet", "addresses": [f"{ADDRESSES[kind]}/32"]}
        try:
            prisoner.converge(state=state, **document)
            yield prisoner
        finally:
            prisoner.remove()


def _token_of(directory: Path) -> str:
    return f"escape-{directory.name[len(_DIRECTORIES) :]}"


def _host_file(token: str) -> Path:
    return Path("/") / f".{token}"


def _sweep() -> None:
    """Remove what runs that were killed have left: nobody holds their directories."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_DIRECTORIES}*"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), contextlib.ExitStack() as stack:
            held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, held)
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _host_file(_token_of(directory)).unlink(missing_ok=True)
            shutil.rmtree(directory)


def pid_on_host(marker: str) -> int:
    """Host's pid of the process in a jail whose command line has a marker; the outermost one of the jail."""
    for entry in sorted((entry for entry in os.listdir("/proc") if entry.isdigit()), key=int):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            inside = Path(f"/proc/{entry}/ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
            if marker.encode() in words and inside:
                return int(entry)
    raise AssertionError(f"no process {marker} in any jail")


def base_of(name: str) -> int:
    """What the host calls a jail's root."""
    allocation = allocations.find(name)
    assert allocation is not None
    return allocation.uid_base
