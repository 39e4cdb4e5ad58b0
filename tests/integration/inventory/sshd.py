# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An SSH server of a test's own on this machine, with keys that are thrown away afterwards."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SSHD = "/usr/sbin/sshd"
# sshd(8) insists on it, and the package leaves it to systemd to make it.
_EMPTY = Path("/run/sshd")


@dataclass(frozen=True)
class Server:
    """Where the server listens, and with what to come in as root."""

    port: int
    key: Path
    known_hosts: Path

    @property
    def ssh_args(self) -> str:
        """Arguments of ssh by which it knows the server, and nothing else counts."""
        return f"-F none -o StrictHostKeyChecking=yes -o UserKnownHostsFile={self.known_hosts}"

    def variables(self, name: str = "127.0.0.1") -> dict[str, object]:
        """The variables of Ansible for it."""
        return {
            "ansible_host": name,
            "ansible_port": self.port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": self.ssh_args,
        }


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[Server]:
    """An SSH server for the length of a block, on a free port of the loopback interface."""
    for name in ("host", "user"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(directory / name))
    (directory / "authorized_keys").write_text((directory / "user.pub").read_text())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    known_hosts = directory / "known_hosts"
    host_key = (directory / "host.pub").read_text()
    known_hosts.write_text("".join(f"[{name}]:{port} {host_key}" for name in ("127.0.0.1", "localhost")))
    config = directory / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {directory}/host\nAuthorizedKeysFile {directory}/authorized_keys\n"
        "PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nMaxSessions 64\n"
        "MaxStartups 100\n"
    )
    with _directory(_EMPTY), subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL) as sshd:
        try:
            _wait_for(port)
            yield Server(port, directory / "user", known_hosts)
        finally:
            sshd.terminate()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[None]:
    if path.is_dir():
        yield
        return
    path.mkdir(mode=0o755)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(path)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "sshd does not listen"
            time.sleep(0.05)
