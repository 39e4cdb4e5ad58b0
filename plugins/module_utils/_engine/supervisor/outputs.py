# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What jails print, which a child reads for the supervisor.

Whoever has a FIFO can keep all who read, open or close it waiting, where not even SIGKILL reaches them: splice(2) has
the pipe locked for as long as it waits for its source. A child that does not answer in time is left to the jail that
keeps it, and another one reads what the others print.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .log import Log
from .reader import CHUNK, DROP, KEEP, OPEN, READ, TAKEN, start_reader

_PATIENCE = 5.0
_MOST_PIECES = 32


@dataclass(eq=False)
class Output:
    """The FIFO of one jail, and the log for what comes through it.

    ``fd`` is -1 until it is open; ``is_kept``: the reader has it too, so that we are never the last to close it.
    """

    key: int
    path: str
    log: Log
    fd: int = -1
    is_kept: bool = False
    is_polled: bool = False
    # A reader that has no other jail's.
    reader: Reader | None = None
    pieces_left: int = -1
    finished: Callable[[], None] | None = None


@dataclass(eq=False)
class Reader:
    """A child that is asked for one thing at a time."""

    channel: socket.socket
    asked: tuple[str, Output] | None = None
    deadline: float = 0.0
    queue: deque[tuple[str, Output]] = field(default_factory=deque)


class Outputs:
    """The outputs of all jails. ``poll`` and ``unpoll`` begin and end to call somebody when a descriptor is readable.

    Nothing here waits.
    """

    def __init__(self, poll: Callable[[int, Callable[[], None]], None], unpoll: Callable[[int], None]) -> None:
        self._poll = poll
        self._unpoll = unpoll
        self._common: Reader | None = None
        self._outputs: dict[int, Output] = {}
        self._last_key = 0

    def add(self, path: str, log: Log, *, fd: int) -> Output:
        """Have what comes through a FIFO taken to a log; it is open already."""
        return self._added(KEEP, Output(self._new_key(), path, log, fd=fd))

    def adopt(self, path: str, log: Log) -> Output:
        """The same of the FIFO of a jail that runs, and may keep it from being opened."""
        return self._added(OPEN, Output(self._new_key(), path, log))

    def finish(self, output: Output, finished: Callable[[], None]) -> None:
        """Have all that is there taken, and then somebody called: also when there is no end to it."""
        output.finished, output.pieces_left = finished, _MOST_PIECES
        if output.reader and output.reader.asked:
            self._finish(output)
        elif output.is_polled:
            self._read(output)

    def remove(self, output: Output) -> None:
        """Hear nothing more."""
        output.finished = None
        if self._outputs.pop(output.key, None) is None:
            return
        self._stop_polling(output)
        if output.fd >= 0:
            os.close(output.fd)
        if output.reader:
            self._leave(output.reader)
            output.reader = None
        if self._common and not self._outputs:
            self._leave(self._common)
        elif self._common and output.is_kept:
            self._ask(DROP, output)

    @property
    def deadline(self) -> float | None:
        """When to call ``give_up``, on the monotonic clock."""
        return self._common.deadline if self._common and self._common.asked else None

    def give_up(self) -> None:
        """Leave a reader that has not answered in time to the jail that keeps it."""
        reader = self._common
        if not reader or not reader.asked or time.monotonic() < reader.deadline:
            return
        self._common = None
        what, output = reader.asked
        waiting, reader.queue = reader.queue, deque()
        if what in (OPEN, READ) and output.key in self._outputs:
            output.reader = reader
            self._finish(output)
        else:
            self._leave(reader)
        self._take_over(waiting)

    def _new_key(self) -> int:
        self._last_key += 1
        return self._last_key

    def _added(self, what: str, output: Output) -> Output:
        self._outputs[output.key] = output
        self._ask(what, output)
        return output

    # Questions

    def _ask(self, what: str, output: Output) -> None:
        reader = output.reader or self._common or self._start()
        reader.queue.append((what, output))
        self._go_on(reader)

    def _start(self) -> Reader:
        kept = {output.key: output.fd for output in self._outputs.values() if output.is_kept}
        reader = self._common = Reader(start_reader(kept))
        self._poll(reader.channel.fileno(), lambda: self._hear(reader))
        return reader

    def _go_on(self, reader: Reader) -> None:
        while reader.queue and not reader.asked:
            what, output = reader.queue.popleft()
            if what != DROP and output.key not in self._outputs:
                continue
            reader.asked, reader.deadline = (what, output), time.monotonic() + _PATIENCE
            given = [output.fd] if what == KEEP else []
            self._say(reader, what, output, given)

    @staticmethod
    def _say(reader: Reader, what: str, output: Output, given: Sequence[int] = ()) -> None:
        with contextlib.suppress(OSError):  # One that was killed is noticed by the end of its channel.
            message = f"{what} {output.key} {output.path} {output.log.path}".encode()
            socket.send_fds(reader.channel, [message], given)

    def _hear(self, reader: Reader) -> None:
        try:
            answer, given, _unused, _unused = socket.recv_fds(reader.channel, CHUNK + 1, 1)
        except OSError:
            answer, given = b"", []
        if not answer or not reader.asked:
            self._lose(reader)
            return
        (what, output), reader.asked = reader.asked, None
        said = answer[1:]
        if said:
            if output.key in self._outputs:
                output.log.write(said)
            self._say(reader, TAKEN, output)
        if output.key in self._outputs:
            self._follow(what, output, given, more=bool(said))
        else:
            for fd in given:
                os.close(fd)
        self._go_on(reader)

    def _follow(self, what: str, output: Output, given: list[int], *, more: bool) -> None:
        if given:
            output.fd = given[0]
        output.is_kept = output.is_kept or what == KEEP or bool(given)
        if not output.finished:
            self._wait_for_more(output)
        elif output.fd < 0 or (what == READ and not more) or output.pieces_left <= 0:
            self._finish(output)
        else:
            self._read(output)

    def _wait_for_more(self, output: Output) -> None:
        if output.fd >= 0 and not output.is_polled:
            output.is_polled = True
            self._poll(output.fd, lambda: self._read(output))

    def _stop_polling(self, output: Output) -> None:
        if output.is_polled:
            output.is_polled = False
            self._unpoll(output.fd)

    def _read(self, output: Output) -> None:
        self._stop_polling(output)
        output.pieces_left -= 1
        self._ask(READ, output)

    @staticmethod
    def _finish(output: Output) -> None:
        if output.finished:
            finished, output.finished = output.finished, None
            finished()

    # Readers that are gone

    def _lose(self, reader: Reader) -> None:
        """Somebody has killed it: another one is asked what it was asked."""
        waiting = deque([*([reader.asked] if reader.asked else []), *reader.queue])
        for output in self._outputs.values():
            if output.reader is reader:
                output.reader = None
        self._leave(reader)
        self._take_over(waiting)

    def _take_over(self, waiting: deque[tuple[str, Output]]) -> None:
        for what, output in waiting:
            if what != DROP:  # The next reader was never given what it would drop.
                self._ask(what, output)

    def _leave(self, reader: Reader) -> None:
        """It ends by itself, as soon as it can."""
        if self._common is reader:
            self._common = None
        self._unpoll(reader.channel.fileno())
        reader.channel.close()
