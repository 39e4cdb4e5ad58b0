# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The child that reads what jails print, one piece when it is asked.

It keeps every FIFO open for as long as it is told to, and after the supervisor's end until its own: the last to close
one waits for whoever has it locked.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
from collections.abc import Mapping

from ..._kernel import processes

CHUNK = 65536
# Said in front of a key, and for the second a path.
KEEP, OPEN, READ, DROP = "keep", "open", "read", "drop"
# Before what an answer holds: one without would look like the end of the channel.
_MARK = b"a"
_LONGEST = 4096
# What it is called in /proc/PID/comm.
NAME = "jailctl-reader"


def start_reader(kept: Mapping[int, int]) -> socket.socket:
    """Fork a reader that has these FIFOs by their keys; our end of the channel to it. It ends with us."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        _serve(theirs, dict(kept), parent)
    theirs.close()
    return ours


def _serve(channel: socket.socket, fds: dict[int, int], parent: int) -> None:
    """Child: it never returns."""
    try:
        processes.die_with(parent)
        signal.set_wakeup_fd(-1)
        processes.reset_signals()
        processes.set_name(NAME)
        processes.close_descriptors({channel.fileno(), *fds.values()})
        while True:
            message, given, _unused, _unused = socket.recv_fds(channel, _LONGEST, 1)
            if not message:
                return
            what, key, path = message.decode().split(" ", 2)
            _answer(channel, fds, what, int(key), path, given)
    finally:
        os._exit(0)


def _answer(channel: socket.socket, fds: dict[int, int], what: str, key: int, path: str, given: list[int]) -> None:
    said, passed_on = b"", []
    if what == KEEP:
        fds[key] = given[0]
    elif what == OPEN:
        with contextlib.suppress(OSError):
            fds[key] = open_fifo(path)
            passed_on = [fds[key]]
    elif what == READ:
        with contextlib.suppress(BlockingIOError):
            said = os.read(fds[key], CHUNK)
    elif key in fds:
        os.close(fds.pop(key))
    socket.send_fds(channel, [_MARK, said], passed_on)


def open_fifo(path: str) -> int:
    """A FIFO to be read, opened anew: O_NONBLOCK belongs to an open file description (open(2)), and on the jail's own
    it would make programs lose what they print faster than we read. OSError where it is none.
    """
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    if stat.S_ISFIFO(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise FileNotFoundError(2, "there is no FIFO", path)
