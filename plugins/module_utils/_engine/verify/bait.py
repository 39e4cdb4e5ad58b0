# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What is outside of a jail to be found from inside: made for the length of a verification, and gone with its process.

Processes, sockets and keys go by themselves; for the rest there is Litter.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
import time
from collections.abc import Mapping
from typing import Any

from ..._kernel import namespaces
from ..._kernel.credentials import become
from ..._kernel.errors import KernelError
from ..._kernel.rtnetlink import Reader
from .. import places
from ..errors import EngineError
from . import decoy
from .attack import Missing, Outcome
from .calls import syscall
from .litter import Litter
from .network import links

NAMESPACES = ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user")
_OF_THE_ENGINE = (places.DOCUMENTS, places.STATE, places.RUNTIME, places.LOGS, places.SUPERVISOR_SOCKET)
_JOIN_SESSION_KEYRING, _KEYCTL_REVOKE, _SESSION = 1, 3, -3
_GLOBAL_SCOPE = 0
_PATIENCE = 0.2
# Neither ours nor anybody's (RFC 5737).
_SPOOFED = ("192.0.2.9", "198.51.100.9")


class Bait:
    """A process, sockets, files, memory, queues and a key of the host's; ``facts`` is where attacks look for them.

    ``own_addresses`` are the jail's: they are no bait. ``root`` is what the host calls the jail's root.
    """

    def __init__(self, *, own_addresses: list[str], root: int) -> None:
        self.facts: dict[str, Any] = {}
        self._own_addresses, self._root = own_addresses, root
        self._litter = Litter()
        self.token = self._litter.token
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Bait:
        try:
            self._prepare()
        except (OSError, KernelError, Missing) as error:
            self._stack.close()
            raise EngineError("", f"this host has nothing to look for from inside a jail: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _prepare(self) -> None:
        disk, root = os.stat("/").st_dev, os.stat("/")
        self._stack.enter_context(self._litter)
        self._listen()
        self.facts |= {
            "strangers": [self._stranger(uid) for uid in sorted({0, self._root})],
            "host_root": [root.st_dev, root.st_ino],
            "host_namespaces": {kind: os.stat(f"/proc/self/ns/{kind}").st_ino for kind in NAMESPACES},
            "host_uptime": time.clock_gettime(time.CLOCK_BOOTTIME),
            "host_links": links(),
            "of_the_engine": [identity(path) for path in _OF_THE_ENGINE if os.path.exists(path)],
            "own_addresses": self._own_addresses,
            "foreign_addresses": self._foreign_addresses(),
            "disk": [os.major(disk), os.minor(disk)],
            "secret": self.token,
            "spoofed": list(_SPOOFED),
            "listen": 0.15,
        }

    def _stranger(self, uid: int) -> dict[str, Any]:
        """A process of the host's that has a thing of every kind; as the jail's own root outside of it, it has none
        that ids would protect."""
        marker = f"{self.token}-{uid}"
        pid = self._stack.enter_context(decoy.waiting(marker, before=lambda: _become(uid)))
        return {
            "marker": marker,
            "host_pid": pid,
            "abstract": self._abstract(marker),
            **self._litter.lay(marker),
            "key": self._key(marker),
        }

    def _abstract(self, marker: str) -> str:
        listener = self._stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listener.bind(f"\0{marker}")
        listener.listen(8)
        return marker

    def _key(self, marker: str) -> int | None:
        """In a session keyring of our own, which our children get; None where keys are refused."""
        try:
            if "keyring" not in self.facts:
                self.facts["keyring"] = syscall("keyctl", _JOIN_SESSION_KEYRING, None, 0, 0, 0)
            key = syscall("add_key", b"user", marker.encode(), b"secret", 6, _SESSION)
        except OSError:
            return None
        self._stack.callback(syscall, "keyctl", _KEYCTL_REVOKE, key, 0, 0, 0)
        return key

    def _listen(self) -> None:
        """A service on the host's loopback addresses, and a receiver of datagrams on all of them."""
        first = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = self.facts["host_port"] = first.getsockname()[1]
        with contextlib.suppress(OSError):
            self._stack.enter_context(socket.create_server(("::1", port), family=socket.AF_INET6))
        self._receiver = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._receiver.bind(("", 0))
        self._talker = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    @property
    def port(self) -> int:
        """Where datagrams are received."""
        return int(self._receiver.getsockname()[1])

    def _foreign_addresses(self) -> list[str]:
        """The host's addresses but loopback, those of links' own scope, and the jail's."""
        with Reader() as reader:
            found = {one.ip for one in reader.addresses(0) if one.scope == _GLOBAL_SCOPE}
        return sorted(found - set(self._own_addresses))

    def talk(self) -> None:
        """Say something on the host's loopback that nobody else should hear."""
        with contextlib.suppress(OSError):
            self._talker.sendto(self.token.encode(), ("127.0.0.1", self.facts["host_port"]))

    def judge(self, outcome: Outcome) -> Outcome:
        """What became of datagrams that were sent under false names: only who is heard has succeeded."""
        heard = self._heard()
        spoofed = sorted(message for message in heard if message.startswith("spoofed"))
        if spoofed:
            return Outcome(True, spoofed)
        if not outcome.allowed:
            return outcome
        if "honest" not in heard:
            return Outcome(None, "nothing at all gets through to the host")
        return Outcome(False, f"sent {', '.join(outcome.why)}, and nothing of it arrived")

    def _heard(self) -> list[str]:
        found = []
        while select.select([self._receiver], [], [], _PATIENCE)[0]:
            found.append(self._receiver.recv(2048).decode(errors="replace"))
        return found


def _become(uid: int) -> None:
    os.setsid()
    if uid:
        become(uid=uid, gid=uid, groups=[])


def identity(path: str) -> list[Any]:
    """A path, and by what it is known again whatever it is called."""
    status = os.stat(path)
    return [path, status.st_dev, status.st_ino]


def surroundings(document: Mapping[str, Any], init: int, devices: list[list[int]]) -> dict[str, Any]:
    """What there is in a jail for attacks on it, as the host sees it: volumes, masks, devices.

    ``document`` is the effective one, ``init`` the host's pid of the jail's first process.
    """
    from ..launch.tree import MASKED, READ_ONLY

    mounted = _mount_points(init)
    volumes = [one for one in document.get("mounts") or () if one["target"] in mounted]
    binds = [one for one in volumes if one.get("type", "bind") == "bind"]
    return {
        "volumes": [one["target"] for one in binds if not one.get("read_only")],
        "read_only_volumes": [one["target"] for one in volumes if one.get("read_only")],
        "planted_nodes": [path for one in binds for path in _nodes_in(one["source"], one["target"])],
        "masks": [f"/{path}" for path in MASKED + READ_ONLY if f"/{path}" in mounted],
        "masked": [f"/{path}" for path in MASKED],
        "devices": devices,
        "maker": _maker(init),
    }


def _maker(pid: int) -> int | None:
    """The host's id of who has made the user namespace of a process; None of one that is gone."""
    with contextlib.suppress(OSError, KernelError):
        return namespaces.owner_of(f"/proc/{pid}/ns/user")
    return None


def _mount_points(pid: int) -> set[str]:
    """Those that a process sees; none of one that is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="replace") as file:
        return {line.split()[4] for line in file}
    return set()


def _nodes_in(source: str, target: str) -> list[str]:
    """Device nodes at the top of a volume."""
    found = []
    with contextlib.suppress(OSError), os.scandir(source) as entries:
        for entry in entries:
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
                found.append(f"{target}/{entry.name}")
    return found


# What the kernel gives to everybody: load triggers of one's own (Documentation/accounting/psi.rst).
_EVERYBODYS = ("/proc/pressure/",)
# Files that the kernel looks up in the namespaces of whoever opens them, and a system's own groups and links.
_OF_A_SYSTEM = (
    "/proc/sys/net/",
    "/proc/sys/user/",
    "/proc/sys/fs/mqueue/",
    "/proc/sys/fs/binfmt_misc/",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/domainname",
    "/proc/sys/kernel/msg",
    "/proc/sys/kernel/sem",
    "/proc/sys/kernel/shm",
    "/proc/sys/kernel/auto_msgmni",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/kernel/pid_max",
    "/sys/fs/cgroup/",
    "/sys/devices/virtual/net/",
    "/sys/class/net/",
)


def own_files(*, is_system: bool) -> list[str]:
    """Beginnings of the paths in /proc and /sys that a jail may write to."""
    return [*_EVERYBODYS, *(_OF_A_SYSTEM if is_system else ())]
