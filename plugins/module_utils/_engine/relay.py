# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import select
import stat

_CHUNK = 65536


def may_be_inherited(fd: int) -> bool:
    """Whether a descriptor of the caller may be given into a jail as it is.

    Only pipes and sockets: they have no name in the host's file systems, and no terminal behind them into which
    TIOCSTI could type.
    """
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class _Stream:
    """Bytes on their way from one descriptor to another."""

    def __init__(self, source: int, sink: int, *, inward: bool, closes: int, farewell: bytes) -> None:
        self.source = source
        self.sink = sink
        self.inward = inward
        self.closes = closes
        self.farewell = farewell
        self.pending = bytearray()
        self.finished = False

    @property
    def waits_for(self) -> tuple[int, int]:
        """The descriptor that this stream cannot go on without, and what it has to be ready for."""
        return (self.sink, select.POLLOUT) if self.pending else (self.source, select.POLLIN)


class Relay:
    """Carries bytes between the caller's descriptors and those of a process in a jail.

    Neither direction holds up the other, as long as what leads into the jail does not block (O_NONBLOCK).
    """

    def __init__(self) -> None:
        self._streams: list[_Stream] = []

    def carry_in(self, source: int, sink: int, *, closes: int = -1, farewell: bytes = b"") -> None:
        """Copy ``source`` to ``sink``; at its end write ``farewell`` and close the descriptor ``closes``."""
        self._streams.append(_Stream(source, sink, inward=True, closes=closes, farewell=farewell))

    def carry_out(self, source: int, sink: int, *, closes: int = -1) -> None:
        """Copy ``source`` to ``sink``; close ``closes`` when either ends, so that nobody writes where nobody reads."""
        self._streams.append(_Stream(source, sink, inward=False, closes=closes, farewell=b""))

    def run(self, until: int) -> None:
        """Copy until the descriptor ``until`` (a pidfd) is readable, then what is left without waiting for more."""
        while not self._step(until):
            continue
        for stream in self._active():
            if not stream.inward:
                self._empty(stream)

    def close(self) -> None:
        """End all streams that have not ended."""
        for stream in self._active():
            self._finish(stream)

    def _step(self, until: int) -> bool:
        interests = {until: select.POLLIN}
        for stream in self._active():
            # A terminal is the sink of one stream and the source of another.
            fd, event = stream.waits_for
            interests[fd] = interests.get(fd, 0) | event
        poll = select.poll()
        for fd, events in interests.items():
            poll.register(fd, events)
        ready = dict(poll.poll())
        for stream in self._active():
            fd, event = stream.waits_for
            if ready.get(fd, 0) & (event | select.POLLHUP | select.POLLERR | select.POLLNVAL):
                self._move(stream)
        return until in ready

    def _empty(self, stream: _Stream) -> None:
        """Move what an ended process has left; others may still hold its streams, and are not waited for."""
        while not stream.finished:
            poll = select.poll()
            poll.register(*stream.waits_for)
            if not poll.poll(None if stream.pending else 0):
                return
            self._move(stream)

    def _active(self) -> list[_Stream]:
        return [stream for stream in self._streams if not stream.finished]

    def _move(self, stream: _Stream) -> None:
        try:
            if stream.pending:
                del stream.pending[: os.write(stream.sink, stream.pending)]
            else:
                self._fill(stream)
        except BlockingIOError:
            return
        except OSError:
            # EPIPE: nobody reads any more. EIO: the last process on a terminal has closed it (pty(7)).
            self._finish(stream)

    def _fill(self, stream: _Stream) -> None:
        data = os.read(stream.source, _CHUNK)
        if data:
            stream.pending += data
        elif stream.farewell:
            stream.pending += stream.farewell
            stream.farewell = b""
        else:
            self._finish(stream)

    @staticmethod
    def _finish(stream: _Stream) -> None:
        stream.finished = True
        stream.pending.clear()
        if stream.closes >= 0:
            os.close(stream.closes)
