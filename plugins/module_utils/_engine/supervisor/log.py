# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os

from ..._kernel import files

LARGEST = 10 << 20
KEPT = 3


class Log:
    """The log of one jail: appended to, and cut into generations so that it never fills the host's disk.

    NAME.log is the newest, NAME.log.1 the one before it, up to ``kept`` of ``largest`` bytes each.
    """

    def __init__(self, path: str, *, largest: int = LARGEST, kept: int = KEPT) -> None:
        self.path = path
        self.largest = largest
        self.kept = kept
        self._fd = -1
        self._size = 0

    def write(self, data: bytes) -> None:
        """Append; a disk that is full costs lines of this log and nothing else."""
        if self._fd < 0:
            self._open()
        if self._size + len(data) > self.largest:
            self._rotate()
        with contextlib.suppress(OSError):
            self._size += os.write(self._fd, data)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        with contextlib.suppress(OSError):
            self._fd = os.open(self.path, flags, 0o600)
            self._size = os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        self.close()
        names = [self.path, *(f"{self.path}.{number}" for number in range(1, self.kept))]
        for newer, older in reversed(list(zip(names, names[1:]))):
            with contextlib.suppress(OSError):
                os.rename(newer, older)
        self._open()


def remove(path: str, *, kept: int = KEPT) -> None:
    """Remove a log with all its generations."""
    for name in [path, *(f"{path}.{number}" for number in range(1, kept))]:
        files.remove_file(name)
