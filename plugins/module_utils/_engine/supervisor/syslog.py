# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What programs of a jail log by syslog(3): datagrams on a socket that is /dev/log inside, and lines in the jail's log.

The socket is ours, in a directory that the jail sees. When we are gone it refuses, which syslog(3) takes for a lost
message and never waits for; it tries again with each message, so it finds the socket of whoever comes after us.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Callable

from .. import places
from .log import Log
from .taker import Taker, refuses_descriptors

_LONGEST = 8192
# Of one jail, before the others have their turn.
_AT_ONCE = 32
_BURST, _PER_SECOND = 2000, 500.0
_PRIORITY = re.compile(r"<(\d{1,3})>")
_SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_FACILITIES = ("kern user mail daemon auth syslog lpr news uucp cron authpriv ftp").split() + ["12", "13", "14", "15"]
_FACILITIES += [f"local{number}" for number in range(8)]


class Syslog:
    """The socket of one jail, or what its ``taker`` passes on of it. ``clock`` gives seconds."""

    def __init__(
        self, listener: socket.socket, *, taker: Taker | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._listener = listener
        self._taker = taker
        self._clock = clock
        self._left, self._at = float(_BURST), clock()
        self._dropped = 0

    def fileno(self) -> int:
        """Readable when there is something to be taken."""
        return self._listener.fileno()

    def drain(self, log: Log) -> None:
        """Move some of what has come into the log. More than a jail may say is taken, counted and thrown away: a full
        socket would have its programs wait for us."""
        lines = []
        for _unused in range(_AT_ONCE):
            try:
                data = self._listener.recv(_LONGEST)
            except OSError:
                # None is there, or whoever has taken them was killed.
                break
            lines += self._kept(data)
        if lines:
            log.write(b"".join(lines))

    def _kept(self, data: bytes) -> list[bytes]:
        now = self._clock()
        self._left, self._at = min(float(_BURST), self._left + (now - self._at) * _PER_SECOND), now
        if self._left < 1.0:
            self._dropped += 1
            return []
        self._left -= 1.0
        lost = [f"syslog.warning {self._dropped} messages dropped\n".encode()] if self._dropped else []
        self._dropped = 0
        return [*lost, line_of(data)]

    def close(self) -> None:
        """Hear nothing more."""
        if self._taker:
            self._taker.close()
        self._listener.close()


def line_of(data: bytes) -> bytes:
    """One line of the log for one message (RFC 3164): its priority by name, and nothing that a terminal would obey.

    Control characters become ``#`` and three octal digits, as rsyslog has them, so a message is never two lines.
    """
    text = data.decode(errors="replace").rstrip("\n\0")
    found = _PRIORITY.match(text)
    number = int(found[1]) if found else 13
    facility, severity = divmod(number, len(_SEVERITIES))
    name = _FACILITIES[facility] if facility < len(_FACILITIES) else str(facility)
    said = _shown(text[found.end() :] if found else text)
    return f"{name}.{_SEVERITIES[severity]} {said}\n".encode()


def _shown(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else f"#{ord(character):03o}" for character in text)


def listen(name: str) -> Syslog:
    """Make the socket of a jail anew, in one step: whoever connects finds the last one or this.

    It is for every user of the jail, and its directory, which the jail sees but cannot write to, is the host's.
    """
    path = f"{places.syslog(name)}/log"
    fresh = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        refuses = refuses_descriptors(listener)
        listener.bind(fresh)
        os.chmod(fresh, 0o666)
        os.rename(fresh, path)
    except OSError:
        listener.close()
        raise
    if refuses:
        return Syslog(listener)
    taker = Taker(listener, _LONGEST)
    return Syslog(taker.passed_on, taker=taker)
