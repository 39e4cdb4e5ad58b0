# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One host: a whole Linux system in namespaces of its own on this machine's kernel.

systemd is its first process, with control groups, a network, a process tree and a boot id of its own. There is no user
namespace around it: its root may do what root of a machine may, and the engine finds everything that it needs. It is a
machine to test with, not a jail: root of a host can leave it.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._kernel import files, pidfd, processes, trees
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroups import Cgroup
from ansible_collections.hosting.jails.tests.hosts import archives, control_groups, image, keys, places, segment

# SIGRTMIN+4, of the numbers that glibc leaves to programs: systemd(1), SIGNALS.
POWER_OFF = 34 + 4
PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Host:
    """The ``number``-th host of a set, from 1."""

    prefix: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.prefix}{self.number}"

    @property
    def address(self) -> str:
        return segment.address(self.number)

    @property
    def address6(self) -> str:
        return segment.address6(self.number)

    @property
    def directory(self) -> Path:
        """What it has on disk: a layer above the image, and /var/lib/jails beside it.

        The latter is on a file system of the machine: an overlay takes no other one as its upper layer, and has no
        idmapped mounts.
        """
        return places.directory(self.prefix) / self.name

    @property
    def console(self) -> Path:
        """What its init and its keeper print."""
        return self.directory / "console"

    @property
    def group(self) -> Cgroup:
        return control_groups.group(f"{places.control_group(self.prefix)}/{self.name}")

    @property
    def pid(self) -> int | None:
        """Its init, as this machine sees it; None while it is off."""
        record = files.read_json(str(self.directory / "init.json")) or {"pid": 0, "started": 0}
        return record["pid"] if processes.is_alive(record["pid"], record["started"]) else None

    @property
    def running_pid(self) -> int:
        pid = self.pid
        assert pid, f"{self.name} is off"
        return pid

    def create(self, *, authorized: str) -> None:
        """Give it a disk with its identity; one that it has is kept."""
        upper = self.directory / "upper"
        if (self.directory / "created").exists():
            return
        trees.remove_tree(str(self.directory))
        for name in ("upper", "work", "jails", "root", "scratch"):
            (self.directory / name).mkdir(parents=True)
        for name in ("root/.ssh", f"home/{image.USER}/.ssh", "etc/ssh", "var/lib/jails", archives.SHOWN.lstrip("/")):
            _copy_directories(upper, name)
        (upper / "etc/hostname").write_text(f"{self.name}\n", encoding="utf-8")
        (upper / "etc/machine-id").write_text(f"{os.urandom(16).hex()}\n", encoding="utf-8")
        (upper / "etc/resolv.conf").write_text("", encoding="utf-8")
        for home in ("root", f"home/{image.USER}"):
            _write_authorized(upper / home / ".ssh", authorized)
        keys.make(upper / "etc/ssh/ssh_host_ed25519_key", self.name)
        for name in ("console", "created"):
            (self.directory / name).touch()

    @property
    def host_key(self) -> str:
        """Its key as a line of known_hosts has it."""
        public = (self.directory / "upper/etc/ssh/ssh_host_ed25519_key.pub").read_text(encoding="utf-8")
        return " ".join(public.split()[:2])

    def remove(self) -> None:
        """Cut its power and remove its disk."""
        self.cut()
        trees.remove_tree(str(self.directory))

    @property
    def supply(self) -> files.Lock:
        """Held by its keeper, from before it is switched on until it is off."""
        return files.Lock(str(self.directory / "supply"), timeout=60)

    def cut(self) -> None:
        """Cut its power: all its processes are gone at once, its disk is as it was at that moment."""
        group = self.group
        group.kill()
        group.wait_empty(10)
        group.remove()
        self.wait_off()

    def switch_off(self) -> None:
        """Shut it down in good order; nothing where it is off."""
        if self.pid:
            self.signal(POWER_OFF)
        self.wait_off()

    def wait_off(self) -> None:
        """Wait until it is off."""
        if self.directory.exists():
            with self.supply:
                pass

    def signal(self, number: int) -> None:
        """Send a signal to its init."""
        fd = pidfd.open_pidfd(self.running_pid)
        try:
            pidfd.send_signal(fd, number)
        finally:
            os.close(fd)

    def run(self, *command: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command on the host without ssh; ``options`` as of subprocess.run."""
        options = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, "timeout": 120, **options}
        entering = ["nsenter", f"--target={self.running_pid}", "--all", "--", "env", "--ignore-environment"]
        entering += [
            "HOME=/root",
            "LC_ALL=C.UTF-8",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ]
        # What it starts dies with the host.
        options["preexec_fn"] = lambda: self.group.join(below=True)
        done = subprocess.run([*entering, *command], check=False, **options)
        assert not check or done.returncode == 0, f"{self.name}: {command}\n{done.stdout}\n{done.stderr}"
        return done

    def wait_ready(self, timeout: float) -> None:
        """Wait until users can log in."""
        deadline = time.monotonic() + timeout
        while not (self._answers() and self._takes_users()):
            if time.monotonic() > deadline or not self._is_powered():
                raise TimeoutError(f"{self.name} is not ready; its console says:\n{self.console.read_text()}")
            time.sleep(0.05)

    def _is_powered(self) -> bool:
        try:
            with files.Lock(self.supply.path, timeout=0):
                return False
        except files.LockBusy:
            return True

    def _answers(self) -> bool:
        import socket

        try:
            with segment.inside(self.prefix), socket.create_connection((self.address, 22), timeout=1) as connection:
                connection.settimeout(1)
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _takes_users(self) -> bool:
        """pam_nologin(8) turns ordinary users away while the system is starting."""
        pid = self.pid
        return pid is not None and not os.path.exists(f"/proc/{pid}/root/run/nologin")


def _copy_directories(upper: Path, name: str) -> None:
    """Make directories of the upper layer with the owners and modes that the image's have."""
    path = Path()
    for part in Path(name).parts:
        path /= part
        target, below = upper / path, places.IMAGE / path
        if target.exists():
            continue
        target.mkdir()
        if below.exists():
            status = below.stat()
            os.chown(target, status.st_uid, status.st_gid)
            target.chmod(status.st_mode & 0o7777)


def _write_authorized(directory: Path, keys: str) -> None:
    file = directory / "authorized_keys"
    file.write_text(keys, encoding="utf-8")
    owner = directory.parent.stat()
    for path, mode in ((directory, 0o700), (file, 0o600)):
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(mode)
