# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What a verification lays about on the host that does not go with its process: files, System V objects, queues.

All of it is known by its name, and names are on record before anything is made. A process of its own clears away what
is on record as soon as ours is gone, however it went; if that was killed too, the next verification does.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import zlib
from collections.abc import Iterator
from typing import Any

from ..._kernel import files, processes
from .. import places
from .calls import syscall

DIRECTORIES = ("/tmp", "/run", "/dev/shm", "/var/tmp")
_PREFIX = ".verify-"
# Anew, or not at all: what somebody else has under such a key is not ours to remove.
_ANEW, _REMOVE = 0o3666, 0
_GONE = (errno.ENOENT, errno.EINVAL, errno.EIDRM, errno.ENOSYS)
_FAILED = 70


class Litter:
    """For the length of a block; ``token`` is what every name in it begins with."""

    def __init__(self) -> None:
        self.token = f"verify-{os.urandom(4).hex()}"
        self._record = files.Lock(f"{places.STATE}/.{self.token}", timeout=0.0)

    def __enter__(self) -> Litter:
        files.make_directory(places.STATE)
        sweep()
        self._record.acquire()
        held, self._released = os.pipe()
        self._keeper = os.fork()
        if self._keeper == 0:
            _be_the_keeper(self._record, held)
        os.close(held)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._released)
        os.waitpid(self._keeper, 0)
        # Nothing is left of it, unless the keeper was killed.
        _clear(self._record)
        self._record.release()

    def lay(self, marker: str) -> dict[str, Any]:
        """One of each kind under a name; where they are. OSError where the host has no place for them."""
        os.write(self._record.fd, f"{marker}\n".encode())
        key = key_of(marker)
        paths = [f"{directory}/{marker}" for directory in DIRECTORIES if os.path.isdir(directory)]
        for path in paths:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        syscall("semget", key, 1, _ANEW)
        syscall("msgget", key, _ANEW)
        with contextlib.suppress(OSError):
            # The system call knows the name without the slash that mq_open(3) wants.
            os.close(syscall("mq_open", marker.encode(), os.O_CREAT | os.O_RDWR, 0o666, None))
        return {
            "files": paths,
            "shm_key": key,
            "shm_id": syscall("shmget", key, 4096, _ANEW),
            "queue": f"/{marker}",
        }


def key_of(marker: str) -> int:
    """The System V key (ftok(3)) of what goes by a name."""
    return zlib.crc32(marker.encode()) & 0x7FFFFFFF or 1


def sweep() -> None:
    """Clear away what verifications have left that were killed together with their keepers."""
    for name in os.listdir(places.STATE):
        if name.startswith(_PREFIX):
            record = files.Lock(f"{places.STATE}/{name}", timeout=0.0)
            with contextlib.suppress(files.LockBusy), record:
                _clear(record)


def _be_the_keeper(record: files.Lock, held: int) -> None:
    """Wait for the end of whoever has forked us, and clear away; it never returns.

    In a session of its own: what ends all the others of a terminal or of a task is no end of ours.
    """
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        processes.close_descriptors({record.fd, held})
        for stream in range(3):
            with contextlib.suppress(OSError):
                os.close(stream)
        os.read(held, 1)
        _clear(record)
        os._exit(0)
    finally:
        os._exit(_FAILED)


def _clear(record: files.Lock) -> None:
    """Remove everything that is on record, and then the record, whose lock we hold."""
    for marker in (files.read_text(record.path) or "").splitlines():
        for directory in DIRECTORIES:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(f"{directory}/{marker}")
        _clear_objects(marker)
    record.remove()


def _clear_objects(marker: str) -> None:
    key = key_of(marker)
    with _unless_gone():
        syscall("shmctl", syscall("shmget", key, 0, 0), _REMOVE, None)
    with _unless_gone():
        syscall("semctl", syscall("semget", key, 0, 0), 0, _REMOVE, 0)
    with _unless_gone():
        syscall("msgctl", syscall("msgget", key, 0), _REMOVE, None)
    with _unless_gone():
        syscall("mq_unlink", marker.encode())


@contextlib.contextmanager
def _unless_gone() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _GONE:
            raise
