# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jails to break out of, what is outside of them to be found, and the verdicts of the probe that runs inside."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._engine import allocations
from ansible_collections.hosting.jails.plugins.module_utils._engine.launch import tree
from ansible_collections.hosting.jails.tests.integration.jails import Jail

PROBE = Path(__file__).parent / "probe"
PREFIX = "esc-"
TEMPLATE = f"{PREFIX}debian"
NAMESPACES = ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user")
ADDRESSES = {"app": "10.21.0.11", "system": "10.21.0.12", "weak": "10.21.0.13", "other": "10.21.0.14"}
# Nobody's: neither a jail's nor the host's.
FOREIGN_ADDRESS = "10.21.9.9"


class Prisoner(Jail):
    """A jail with the probe in it. What the probe found is kept: one run serves all claims about the jail."""

    def __init__(self, name: str, outside: Outside) -> None:
        super().__init__(name)
        self.outside = outside
        self._verdicts: dict[str, Any] | None = None

    def verdict(self, attack: str) -> dict[str, Any]:
        """What became of an attack: ``allowed`` and ``why``."""
        if self._verdicts is None:
            self._verdicts = self.probe()
        return self._verdicts[attack]

    def probe(self, *attacks: str, **facts: Any) -> dict[str, Any]:
        """Run the probe, with further facts or for some attacks only."""
        facts = {**self.outside.facts, **self._covers(), **self._own(), **facts}
        request = json.dumps({"attacks": attacks, "facts": facts})
        done = self.run("python3", "/probe", input=request, timeout=100)
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    def undecided(self) -> list[str]:
        """Attacks that ended in an error that is neither success nor refusal."""
        verdicts = self._verdicts or {}
        return [f"{name}: {verdict['why']}" for name, verdict in verdicts.items() if verdict["allowed"] is None]

    def _own(self) -> dict[str, Any]:
        """Which addresses are not ours."""
        own = ADDRESSES.get(self.name[len(PREFIX) :])
        return {"foreign_addresses": [a for a in (FOREIGN_ADDRESS, *ADDRESSES.values()) if a != own]}

    def _covers(self) -> dict[str, Any]:
        """The masks and read-only covers that are on this jail's /proc and /sys, and what ought to be under masks."""
        places = [line.split()[4] for line in Path(f"/proc/{self.pid}/mountinfo").read_text().splitlines()]
        wanted = [f"/{path}" for path in tree.MASKED + tree.READ_ONLY]
        return {"masks": [path for path in wanted if path in places], "masked": [f"/{path}" for path in tree.MASKED]}

    def refuses(self, attack: str) -> None:
        """Assert that an attack came to nothing."""
        verdict = self.verdict(attack)
        assert verdict["allowed"] is False, f"{attack} in {self.name}: {verdict}"

    def allows(self, attack: str) -> None:
        """Assert that something that is no attack in this jail works."""
        verdict = self.verdict(attack)
        assert verdict["allowed"] is True, f"{attack} in {self.name}: {verdict}"


class Outside:
    """Everything outside that an attack could find: on the host, and in a neighbouring jail."""

    def __init__(self) -> None:
        self.token = f"escape-{os.getpid()}"
        self.directory = Path(tempfile.mkdtemp(prefix="jails-escape-"))
        self.volume, self.read_only = self.directory / "volume", self.directory / "read-only"
        self.host_file = Path("/") / f".{self.token}"
        self.facts: dict[str, Any] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Outside:
        self._stack.callback(shutil.rmtree, self.directory)
        self.directory.chmod(0o755)
        for path in (self.volume, self.read_only):
            path.mkdir()
            path.chmod(0o777)
        (self.read_only / "file").write_text("read only\n")
        (self.read_only / "file").chmod(0o666)
        self.host_file.write_text(self.token)
        self._stack.callback(self.host_file.unlink)
        self._plant_nodes()
        self._listen()
        own = self.stranger([sys.executable, str(PROBE / "stranger.py")], f"{self.token}-host", 0x21E5C)
        # Every network has these two.
        links = [name for _unused, name in socket.if_nameindex() if name not in ("lo", "eth0")]
        disk = os.stat("/").st_dev
        self.facts |= {
            "strangers": [own],
            "host_file": self.host_file.name,
            "host_namespaces": {kind: os.stat(f"/proc/self/ns/{kind}").st_ino for kind in NAMESPACES},
            "host_uptime": time.clock_gettime(time.CLOCK_BOOTTIME),
            "host_links": links,
            "disk": [os.major(disk), os.minor(disk)],
            "volume": "/volume",
            "read_only_volume": "/read-only",
            "planted_nodes": [f"/volume/{name}" for name in ("disk", "memory", "log", "zero")],
            "secret": self.token,
            "spoofed": [],
            "listen": 0.1,
            "receiver": ["127.0.0.1", 9],
        }
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

    def _listen(self) -> None:
        listener = self._stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", 0))
        port = listener.getsockname()[1]
        listener.close()
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            listener = self._stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.bind((address, port))
            listener.listen(16)
        self.facts["host_port"] = port

    def stranger(self, command: list[str], marker: str, number: int) -> dict[str, Any]:
        """Run a stranger until the end; what it has, and its pid."""
        process = self._stack.enter_context(
            subprocess.Popen(
                [*command, marker, str(number)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        self._stack.callback(process.communicate)
        assert process.stdout is not None
        return {**json.loads(process.stdout.readline()), "host_pid": process.pid}

    @property
    def mounts(self) -> list[dict[str, Any]]:
        return [
            {"source": str(PROBE), "target": "/probe", "read_only": True},
            {"source": str(self.volume), "target": "/volume"},
            {"source": str(self.read_only), "target": "/read-only", "read_only": True},
        ]

    @contextlib.contextmanager
    def prisoner(self, kind: str, *, state: str = "started", **document: Any) -> Iterator[Prisoner]:
        """A jail that sees the probe and the volumes, for the length of a block."""
        prisoner = Prisoner(f"{PREFIX}{kind}", self)
        document.setdefault("rootfs", {"source": {"template": TEMPLATE}})
        document.setdefault("limits", {"memory": "512M", "pids": 256})
        document["mounts"] = [*self.mounts, *document.get("mounts", [])]
        if kind in ADDRESSES:
            document["ip"] = {"mode": "vnet", "addresses": [f"{ADDRESSES[kind]}/32"]}
        try:
            prisoner.converge(state=state, **document)
            yield prisoner
        finally:
            prisoner.remove()


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
