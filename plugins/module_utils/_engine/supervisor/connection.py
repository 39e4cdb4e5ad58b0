# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Connections to the host's supervisor. Nobody waits for one for ever that has stopped to answer.

What it is asked for may take its time. Whether it lives shows by another question, which it answers at once.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import Any

from ..._kernel import processes
from .. import places
from ..errors import EngineError
from . import protocol

# Far more than a loaded host needs to let one process run for a moment.
SILENCE_SECONDS = 60.0
_POLL_SECONDS = 0.02
_CREDENTIALS = struct.Struct("3i")


class Hung(EngineError):
    """The supervisor is there, and does not answer."""

    def of(self, jail: str) -> Hung:
        """The same, said of a jail."""
        return Hung(jail, self.message, remedy=self.remedy)


def try_connect() -> socket.socket | None:
    """A connection to the host's supervisor, None where there is none. Hung where it accepts no more of them."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    connection.setblocking(False)
    deadline = time.monotonic() + SILENCE_SECONDS
    while True:
        try:
            connection.connect(places.SUPERVISOR_SOCKET)
        except BlockingIOError as error:  # as many as can wait to be accepted (listen(2))
            if time.monotonic() > deadline:
                connection.close()
                raise _hung(0) from error
            time.sleep(_POLL_SECONDS)
        except OSError:
            connection.close()
            return None
        else:
            connection.setblocking(True)
            return connection


def version_of(connection: socket.socket) -> str:
    """Which engine's supervisor this is, empty where it has gone. Hung where it does not say."""
    try:
        protocol.send(connection, {"do": protocol.PING})
        if not _is_readable(connection):
            raise _hung(_pid_of(connection))
        answer = protocol.receive(connection)
    except OSError:
        return ""
    return str((answer or {}).get("version", ""))


def await_answer(connection: socket.socket) -> dict[str, Any] | None:
    """The next message, as long as that takes; None at the end of the connection. Hung where nothing will come."""
    while not _is_readable(connection):
        refuse_hung()
    return protocol.receive(connection)


def refuse_hung() -> None:
    """Hung if there is a supervisor that does not answer; none at all is fine."""
    connection = try_connect()
    if connection is not None:
        with connection:
            version_of(connection)


def has_hung_up(connection: socket.socket) -> bool:
    """Whether the other end has been closed, also if there are messages from it that nobody has read yet."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))


def _is_readable(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(SILENCE_SECONDS * 1000))


def _pid_of(connection: socket.socket) -> int:
    """Pid of the process at the other end (unix(7), SO_PEERCRED)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(credentials)[0])


def _hung(pid: int) -> Hung:
    name = f"the supervisor (pid {pid})" if pid else "the supervisor"
    victim = str(pid) if pid else f"PID, which tells ss -lxp src {places.SUPERVISOR_SOCKET}"
    remedy = f"end it with kill -KILL {victim}: jails run on, and the next task starts another"
    if pid and processes.is_stopped(pid):
        remedy = f"a signal has stopped it: go on with kill -CONT {pid}, or {remedy}"
    return Hung("", f"{name} has not answered for {SILENCE_SECONDS:.0f} seconds", remedy=remedy)
