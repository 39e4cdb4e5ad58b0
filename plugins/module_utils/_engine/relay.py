# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import select
import stat
from dataclasses import dataclass, field

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


@dataclass
class _Stream:
    """Bytes on their way from one descriptor to another."""

    source: int
    sink: int
    pending: bytearray = field(default_factory=bytearray)
    closes_sink: bool = False
    finished: bool = False


class Relay:
    """Carries bytes between the caller's descriptors and those of a process in a jail; neither can block the other."""

    def __init__(self) -> None:
        self._streams: list[_Stream] = []

    def carry(self, source: int, sink: int, *, closes_sink: bool = False) -> None:
        """Copy ``source`` to ``sink`` until its end; then close the sink, if asked to."""
        self._streams.append(_Stream(source, sink, closes_sink=closes_sink))

    def run(self, until: int) -> None:
        """Copy until the descriptor ``until`` (a pidfd) is readable, then what is left without waiting for more."""
        while not self._step(until, None):
            continue
        while self._step_output():
            continue

    def _step(self, until: int, timeout: float | None) -> bool:
        poll = select.poll()
        poll.register(until, select.POLLIN)
        for stream in self._active():
            if stream.pending:
                poll.register(stream.sink, select.POLLOUT)
            else:
                poll.register(stream.source, select.POLLIN)
        events = dict(poll.poll(timeout))
        for stream in self._active():
            if stream.pending and stream.sink in events:
                self._flush(stream)
            elif not stream.pending and stream.source in events:
                self._fill(stream)
        return until in events

    def _step_output(self) -> bool:
        """One more round over what the ended process left in its pipes; whether anything moved."""
        moved = False
        for stream in self._active():
            if stream.closes_sink:
                continue
            readable, _, _ = select.select([stream.source], [], [], 0)
            if readable and not stream.pending:
                self._fill(stream)
            while stream.pending:
                moved = True
                self._flush(stream)
        return moved

    def _active(self) -> list[_Stream]:
        return [stream for stream in self._streams if not stream.finished]

    def _fill(self, stream: _Stream) -> None:
        try:
            data = os.read(stream.source, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            # EIO: the last process on a pseudo-terminal has closed it (pty(7)).
            data = b""
        stream.pending += data
        if not data:
            self._finish(stream)

    def _flush(self, stream: _Stream) -> None:
        try:
            written = os.write(stream.sink, stream.pending)
        except BlockingIOError:
            return
        except OSError:
            stream.pending.clear()
            self._finish(stream)
            return
        del stream.pending[:written]

    @staticmethod
    def _finish(stream: _Stream) -> None:
        stream.finished = True
        if stream.closes_sink:
            os.close(stream.sink)
