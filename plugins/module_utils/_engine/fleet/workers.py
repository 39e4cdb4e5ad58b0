# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import json
import os
import struct
import traceback
from collections.abc import Callable, Iterator, Sequence

from ..errors import EXPECTED
from .failures import Failure, failure_of
from .reporters import Reporter

Step = Callable[[str], None]

_NUMBER = struct.Struct("=I")


def each(step: Step, names: Sequence[str], *, parallel: int) -> dict[str, Failure]:
    """Do one step for each of many jails, some at the same time, each in one of some forked processes.

    The failures by name: one jail's keeps no other from its step. The processes know all that the caller knows, tell
    nothing but failures, and end with the caller, whatever ends it.
    """
    count = min(parallel, len(names))
    if count < 2:
        return {name: failure for name in names for failure in [_attempt(step, name)] if failure}
    with _queue(len(names)) as queue:
        workers = [_Worker(step, names, queue) for _unused in range(count)]
    try:
        reports = {name: failure for worker in workers for name, failure in worker.reports()}
    finally:
        for worker in workers:
            worker.end()
    killed = Failure("the process that worked on it was killed", remedy="has the host run out of memory?")
    return {name: failure for name in names for failure in [reports.get(name, killed)] if failure}


def _attempt(step: Step, name: str) -> Failure | None:
    try:
        step(name)
    except EXPECTED as error:
        return failure_of(error)
    except Exception:
        return Failure(f"jail {name}: an error in the engine: {traceback.format_exc()}")
    return None


@contextlib.contextmanager
def _queue(length: int) -> Iterator[int]:
    """A pipe that holds the numbers from 0 on: whoever is free takes the next one, until there are none."""
    reader, writer = os.pipe()
    try:
        # 4 bytes each, far below what a pipe holds: reads of so few are never torn apart (pipe(7)).
        os.write(writer, b"".join(_NUMBER.pack(number) for number in range(length)))
        os.close(writer)
        yield reader
    finally:
        os.close(reader)


class _Worker(Reporter):
    """A process that takes jails from the queue and reports on each."""

    def __init__(self, step: Step, names: Sequence[str], queue: int) -> None:
        super().__init__(lambda writer: _work(step, names, queue, writer))

    def reports(self) -> Iterator[tuple[str, Failure | None]]:
        """The jails that are done, as they come."""
        with open(self.reader, encoding="utf-8", closefd=False) as lines:
            for line in lines:
                name, failure = json.loads(line)
                yield name, Failure(*failure) if failure else None


def _work(step: Step, names: Sequence[str], queue: int, reports: int) -> None:
    with open(reports, "w", encoding="utf-8") as lines:
        while packed := os.read(queue, _NUMBER.size):
            name = names[_NUMBER.unpack(packed)[0]]
            lines.write(json.dumps([name, _attempt(step, name)]) + "\n")
            lines.flush()
