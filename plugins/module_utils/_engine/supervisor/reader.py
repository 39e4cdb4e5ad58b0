# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The child that reads what jails print, one piece when it is asked.

It keeps every FIFO open for as long as it is told to, and after the supervisor's end until its own: the last to close
one waits for whoever has it locked. A piece that it has read, and of which it does not hear that it was taken before
the supervisor is gone, it writes to the log itself: no line is lost by the death of a supervisor.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
from collections.abc import Mapping
from typing import NamedTuple

from ..._kernel import processes
from .log import Log

CHUNK = 65536
# Said in front of a key and the paths of a FIFO and a log. Only the last has no answer.
KEEP, OPEN, READ, DROP, TAKEN = "keep", "open", "read", "drop", "taken"
# Before what an answer holds: one without would look like the end of the channel.
_MARK = b"a"
_LONGEST = 4096
# What it is called in /proc/PID/comm.
NAME = "jailctl-reader"


class Piece(NamedTuple):
    """What was read, and where it belongs."""

    fifo: str
    log: str
    said: bytes


def start_reader(kept: Mapping[int, int]) -> socket.socket:
    """Fork a reader that has these FIFOs by their keys; our end of the channel to it. It ends when that is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        _run(theirs, dict(kept))
    theirs.close()
    return ours


def _run(channel: socket.socket, fds: dict[int, int]) -> None:
    """Child: it never returns."""
    try:
        signal.set_wakeup_fd(-1)
        processes.reset_signals()
        # An answer that nobody takes any more is an error, and we still have to save it.
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        processes.set_name(NAME)
        processes.close_descriptors({channel.fileno(), *fds.values()})
        _save(_serve(channel, fds))
    finally:
        os._exit(0)


def _serve(channel: socket.socket, fds: dict[int, int]) -> Piece | None:
    """Answer until the supervisor is gone; the piece that it may not have got."""
    left: Piece | None = None
    with contextlib.suppress(OSError):
        while True:
            message, given, _unused, _unused = socket.recv_fds(channel, _LONGEST, 1)
            if not message:
                break
            what, key, fifo, log = message.decode().split(" ")
            if what == TAKEN:
                left = None
                continue
            said, passed_on = _do(fds, what, int(key), fifo, given)
            left = Piece(fifo, log, said) if said else None
            socket.send_fds(channel, [_MARK, said], passed_on)
    return left


def _do(fds: dict[int, int], what: str, key: int, fifo: str, given: list[int]) -> tuple[bytes, list[int]]:
    """What was read, and the descriptors that the supervisor gets."""
    if what == KEEP:
        fds[key] = given[0]
    elif what == OPEN:
        with contextlib.suppress(OSError):
            fds[key] = open_fifo(fifo)
            return b"", [fds[key]]
    elif what == READ:
        with contextlib.suppress(BlockingIOError):
            return os.read(fds[key], CHUNK), []
    elif key in fds:
        os.close(fds.pop(key))
    return b"", []


def _save(left: Piece | None) -> None:
    """Where there is no FIFO any more the jail is gone, and its log with it."""
    if left and os.path.lexists(left.fifo):
        Log(left.log).write(left.said)


def open_fifo(path: str) -> int:
    """A FIFO to be read, opened anew: O_NONBLOCK belongs to an open file description (open(2)), and on the jail's own
    it would make programs lose what they print faster than we read. OSError where it is none.
    """
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    if stat.S_ISFIFO(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise FileNotFoundError(2, "there is no FIFO", path)
