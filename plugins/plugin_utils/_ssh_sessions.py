# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""How many processes share few SSH connections to one host.

The jails of a host are many inventory hosts, each with a process of Ansible's, and one address. An sshd takes ten
sessions a connection (MaxSessions of sshd_config(5)) and drops some of more than ten connections that come at once
(MaxStartups): without an arrangement, tasks in thirty jails fail at random. So each process takes a seat, seats belong
to connections, and connections are opened one after the other.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import time
from collections.abc import Callable, Iterator

# A byte far behind the seats: whoever has locked it opens a connection.
_DOOR = 1 << 30


class Seat:
    """A place among the processes of this machine that talk to one host: a locked byte of a file they all know.

    ``number`` counts from 0. Record locks (fcntl(2)) end with their process, and are not inherited: an ssh that stays
    in the background takes no seat along.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self.number = next(number for number in itertools.count() if self._try(number))

    def _try(self, number: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except OSError:
            return False
        return True

    def open_in_turn(self, is_open: Callable[[], bool], open_it: Callable[[], None]) -> None:
        """Open a connection that is not open, one process after the other.

        Whoever has waited for one that failed goes on without a connection: to find out in turn that a host is dead
        would take as many timeouts as there are processes.
        """
        if is_open():
            return
        came = time.time()
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, _DOOR)
        try:
            if not is_open() and os.fstat(self._file).st_mtime <= came:
                open_it()
        except BaseException:
            os.utime(self._file)
            raise
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _DOOR)


@contextlib.contextmanager
def take_seat(path: str) -> Iterator[Seat]:
    """Have the first free seat for the length of a block. A file at ``path`` is made where there is none, and stays."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield Seat(file)
    finally:
        os.close(file)
