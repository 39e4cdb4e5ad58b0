# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stranger: has a thing of every shareable kind, says what as JSON, and stays until its input ends.

Runs on the host and in jails, for probes elsewhere to look for what it has.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from typing import Any

from syscalls import checked, libc, syscall

_IPC_CREAT, _IPC_RMID = 0o1000, 0
_FILES = ("/tmp", "/run", "/dev/shm", "/var/tmp")


class Stranger:
    """What one has; ``marker`` is in its command line and in every name, ``number`` makes the System V key."""

    def __init__(self, marker: str, number: int) -> None:
        self.marker, self.number = marker, number
        self.files = [f"{directory}/{marker}" for directory in _FILES]

    def plant(self) -> dict[str, Any]:
        for path in self.files:
            with open(path, "w") as file:
                file.write(self.marker)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(f"\0{self.marker}")
        self.listener.listen(8)
        self.memory = checked(libc.shmget(self.number, 4096, _IPC_CREAT | 0o666), "shmget")
        self.semaphores = checked(libc.semget(self.number, 1, _IPC_CREAT | 0o666), "semget")
        self.messages = checked(libc.msgget(self.number, _IPC_CREAT | 0o666), "msgget")
        self.queue = checked(libc.mq_open(f"/{self.marker}".encode(), os.O_CREAT | os.O_RDWR, 0o666, None), "mq_open")
        return {
            "marker": self.marker,
            "abstract": self.marker,
            "files": self.files,
            "shm_key": self.number,
            "shm_id": self.memory,
            "queue": f"/{self.marker}",
            "key": self._key(),
        }

    def _key(self) -> int | None:
        """In a session keyring of our own, which our children get; None where keys are refused."""
        try:
            syscall("keyctl", 1, None, 0, 0, 0)
            return syscall("add_key", b"user", self.marker.encode(), b"secret", 6, -3)
        except OSError:
            return None

    def uproot(self) -> None:
        for path in self.files:
            os.unlink(path)
        self.listener.close()
        libc.shmctl(self.memory, _IPC_RMID, None)
        libc.semctl(self.semaphores, 0, _IPC_RMID, ctypes.c_long(0))
        libc.msgctl(self.messages, _IPC_RMID, None)
        libc.mq_unlink(f"/{self.marker}".encode())


if __name__ == "__main__":
    stranger = Stranger(sys.argv[1], int(sys.argv[2]))
    print(json.dumps(stranger.plant()), flush=True)
    sys.stdin.read()
    stranger.uproot()
