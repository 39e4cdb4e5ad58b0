# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An sshd of a test's own on a loopback port, with users of its own: the machine gets neither.

It runs in a mount namespace where ``/etc/passwd``, ``/etc/shadow`` and ``/etc/sudoers`` are other files. ``root`` may
log in, ``deploy``, who may run jailctl by sudo, and ``guest``, who may not.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.hosting.jails.tests.integration import jails

_USERS = {"deploy": 64111, "guest": 64112}
_SETTINGS = """
ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
{settings}
"""
_START = """
mount --bind {directory}/passwd /etc/passwd
mount --bind {directory}/shadow /etc/shadow
mount --bind {directory}/sudoers /etc/sudoers
exec /usr/sbin/sshd -D -f {directory}/sshd_config -E {directory}/log
"""


class Server(NamedTuple):
    """An sshd that runs, and the variables by which Ansible reaches it."""

    directory: Path
    port: int

    @property
    def variables(self) -> dict[str, Any]:
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.directory / "key"),
            "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={self.directory}/known_hosts",
            "ansible_control_path_dir": str(self.directory / "cp"),
        }

    def log(self) -> list[str]:
        """What it has written to its log so far."""
        return (self.directory / "log").read_text(errors="replace").splitlines()

    def connections(self) -> int:
        """How many connections it has accepted so far."""
        return sum(line.startswith("Accepted ") for line in self.log())

    def masters(self) -> list[Path]:
        """The sockets of connections that ssh keeps."""
        return sorted(path for path in (self.directory / "cp").glob("*") if path.is_socket())

    def close_masters(self) -> None:
        """End the connections that ssh keeps."""
        for path in self.masters():
            subprocess.run(["ssh", "-o", f"ControlPath={path}", "-O", "exit", "x"], capture_output=True, check=False)


@contextlib.contextmanager
def serving(directory: Path, *, jailctl: Path, settings: str = "") -> Iterator[Server]:
    """An sshd for the length of a block; ``settings`` are lines for its configuration."""
    subprocess.run([jails.CHECKOUT / "tools" / "system-packages", "openssh-server", "sudo"], check=True)
    directory.mkdir(mode=0o755)
    server = Server(directory, _free_port())
    _write_users(directory, jailctl)
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True)
    host_key = (directory / "host_key.pub").read_text()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {host_key}")
    text = _SETTINGS.format(port=server.port, directory=directory, settings=settings)
    (directory / "sshd_config").write_text(text)
    os.makedirs("/run/sshd", exist_ok=True)
    command = ["unshare", "--mount", "--propagation", "slave", "sh", "-euc", _START.format(directory=directory)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        jails.wait_until(lambda: process.poll() is not None or _answers(server.port), what="sshd to listen")
        assert process.poll() is None, server.log()
        yield server
    finally:
        server.close_masters()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def _write_users(directory: Path, jailctl: Path) -> None:
    for name in ("passwd", "shadow"):
        shutil.copy(f"/etc/{name}", directory / name)
    with open(directory / "passwd", "a") as passwd, open(directory / "shadow", "a") as shadow:
        for user, uid in _USERS.items():
            home = directory / user
            home.mkdir()
            os.chown(home, uid, uid)
            passwd.write(f"{user}:x:{uid}:{uid}::{home}:/bin/sh\n")
            shadow.write(f"{user}:*:1::::::\n")
    sudoers = directory / "sudoers"
    # The line of docs/connection.md.
    allowed = f"{jailctl} exec *, {jailctl} list --json"
    sudoers.write_text(f"root ALL=(ALL:ALL) ALL\ndeploy ALL=(root) NOPASSWD: {allowed}\n")
    sudoers.chmod(0o440)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
