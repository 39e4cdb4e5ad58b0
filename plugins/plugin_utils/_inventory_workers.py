# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Job = Callable[[], Any]

LARGEST_ANSWER = 8 << 20

# Beyond what a worker is born with. Looked at from outside: a process that is refused memory can hang as well as fail.
_WORKER_MEMORY = 96 << 20
_LOOK = 0.2
_CHUNK = 1 << 16


class Outcome(NamedTuple):
    """What a job returned, or why it returned nothing."""

    value: Any = None
    error: str = ""


_TOO_LARGE = Outcome(error=f"its answer has more than {LARGEST_ANSWER >> 20} MiB")


class _Worker(NamedTuple):
    number: int
    pid: int
    pipe: int
    deadline: float
    memory: int
    answer: bytearray


def run_all(jobs: Sequence[Job], *, parallel: int, timeout: float, verbose: bool = False) -> list[Outcome]:
    """Run jobs in processes of their own, so many at a time, each no longer than ``timeout`` seconds.

    A job returns something that JSON can hold; its exception becomes an error. It has a session of its own, without a
    terminal: nothing in it can ask the user, and all that it has started is killed with it. What it prints is dropped,
    or with ``verbose`` goes to standard error.

    Processes and not threads: a connection plugin of Ansible expects a process of its own, and only a process can be
    ended from outside while it waits for a host that has stopped talking.
    """
    waiting = deque(enumerate(jobs))
    outcomes = [Outcome(error="was not asked")] * len(jobs)
    running: dict[int, _Worker] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < max(1, parallel):
                    worker = _start(*waiting.popleft(), timeout=timeout, verbose=verbose)
                    running[worker.pipe] = worker
                    selector.register(worker.pipe, selectors.EVENT_READ)
                for worker, outcome in _finished(selector, running, timeout=timeout):
                    outcomes[worker.number] = outcome
                    selector.unregister(worker.pipe)
                    _end(running.pop(worker.pipe))
        finally:
            for worker in running.values():
                _end(worker)
    return outcomes


def _finished(
    selector: selectors.BaseSelector, running: dict[int, _Worker], *, timeout: float
) -> list[tuple[_Worker, Outcome]]:
    """Wait until something happens; the workers that have answered, or have had their time."""
    patience = min(worker.deadline for worker in running.values()) - time.monotonic()
    found = []
    for key, _unused in selector.select(max(0.0, min(patience, _LOOK))):
        worker = running[key.fd]
        chunk = os.read(worker.pipe, _CHUNK)
        worker.answer.extend(chunk)
        if not chunk:
            found.append((worker, _outcome(worker.answer)))
        elif len(worker.answer) > LARGEST_ANSWER:
            found.append((worker, _TOO_LARGE))
    answered = {worker.pipe for worker, _unused in found}
    others = [worker for worker in running.values() if worker.pipe not in answered]
    return found + [(worker, outcome) for worker in others if (outcome := _given_up(worker, timeout=timeout))]


def _given_up(worker: _Worker, *, timeout: float) -> Outcome | None:
    """Why a worker is waited for no longer, None while it is."""
    if _memory_of(worker.pid) > worker.memory + _WORKER_MEMORY:
        return _TOO_LARGE
    if worker.deadline <= time.monotonic():
        return Outcome(error=f"no answer within {timeout:g} seconds")
    return None


def _outcome(answer: bytearray) -> Outcome:
    if not answer:
        return Outcome(error="the process that asked it died")
    return Outcome(**json.loads(answer))


def _start(number: int, job: Job, *, timeout: float, verbose: bool) -> _Worker:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            _work(job, writer, verbose=verbose)
        finally:
            os._exit(0)
    os.close(writer)
    return _Worker(number, pid, reader, time.monotonic() + timeout, _memory_of(pid), bytearray())


def _work(job: Job, writer: int, *, verbose: bool) -> None:
    """The whole life of a worker."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    _redirect(verbose=verbose)
    try:
        answer = json.dumps({"value": job()})
    except Exception as error:
        answer = json.dumps({"error": str(error) or type(error).__name__})
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(answer.encode())


def _redirect(*, verbose: bool) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2 if verbose else null, 1)
    if not verbose:
        os.dup2(null, 2)


def _memory_of(pid: int) -> int:
    """Bytes of memory that a process has, where the system says so (proc(5)); elsewhere only its time is limited."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
    return 0


def _end(worker: _Worker) -> None:
    """Kill whatever is left of a worker: its session, and itself if it has not begun one yet."""
    os.close(worker.pipe)
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(worker.pid, signal.SIGKILL)
    os.waitpid(worker.pid, 0)
