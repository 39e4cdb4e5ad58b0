# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Attacks carried out in a running jail, by processes that enter it as a command of ``jailctl exec`` does.

A jail may have no interpreter, so the attackers are forks of the engine. They carry its memory and are therefore
undumpable from before the first namespace to their end; what they hold open is a pipe for their outcome, and pipes for
streams. The jail's root has no power over them (attack grab_who_enters).
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import select
import signal
import time
from collections.abc import Iterable, Iterator
from typing import Any

from ..._kernel import capabilities, files, processes, trees
from ..._kernel.errors import KernelError
from ..ceiling import Ceiling, impose
from ..enter import Target, fork_helper, join
from ..errors import EngineError
from ..launch.control import Child
from .attack import CATALOGUE, Attack, Facts, Outcome, try_it
from .calls import DETACH, NO_FOLLOW, umount

_SECONDS = 15.0
# So many in a row that were kept from telling are no accident.
_PATIENCE = 3
_GIVEN_UP = Outcome(None, "not tried: whoever tried the last ones was kept from telling", lost=True)
_TICK = 0.02
_NOROOT = capabilities.securebits_of(["noroot"])
_FAILED = 70
# Where an attacker ends that did what a filter kills for, or what the processor does not allow.
_KILLED = (signal.SIGSYS, signal.SIGSEGV, signal.SIGILL)
_SCRATCH, _PLACES = ".verify-", ("/dev/shm/", "/")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class _ToldToGo(Exception):
    """No OSError, many of which attacks and their preparations pass over."""


def carry_out(target: Target, names: Iterable[str], facts: Facts) -> Iterator[tuple[str, Outcome] | None]:
    """The outcome of each attack, as it comes; None now and then while one takes its time.

    Takes the target over. EngineError when the jail cannot be entered, or ends meanwhile.
    """
    wanted = list(names)
    reader, writer = os.pipe()
    caller = os.getpid()
    helper = fork_helper(target)
    if helper == 0:
        os.close(reader)
        _be_the_helper(target, wanted, facts, writer, caller)
    os.close(writer)
    os.close(target.pidfd)
    try:
        yield from _read(target.name, reader, len(wanted))
    finally:
        os.close(reader)
        with contextlib.suppress(ProcessLookupError):
            os.kill(helper, signal.SIGTERM)
        os.waitpid(helper, 0)


def _read(jail: str, reader: int, expected: int) -> Iterator[tuple[str, Outcome] | None]:
    waiting = b""
    while expected:
        if not select.select([reader], [], [], _TICK)[0]:
            yield None
            continue
        data = os.read(reader, 65536)
        if not data:
            raise EngineError(jail, "ended before all attacks were tried", remedy="jailctl status")
        *lines, waiting = (waiting + data).split(b"\n")
        for line in lines:
            name, outcome = json.loads(line)
            if name is None:
                raise EngineError(jail, Outcome(*outcome).why)
            expected -= 1
            yield name, Outcome(*outcome)
    # The end comes when all is cleared away in there.
    os.read(reader, 1)


def _be_the_helper(target: Target, names: list[str], facts: Facts, writer: int, caller: int) -> None:
    """It joins everything that the jail consists of but its pids, and forks the attackers; it never returns.

    In a session of its own, so that what ends its caller's does not end it: there is something to be cleared away.
    """
    try:
        for fd in range(3):
            with contextlib.suppress(OSError):
                os.close(fd)
        os.setsid()
        join(target, {writer})
        # Our caller may be killed while we tell him something.
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _leave)
        processes.set_parent_death_signal(signal.SIGTERM)
        if os.getppid() != caller:
            os._exit(_FAILED)
        os.environ.clear()
        # A collection would write to all the memory that attackers still share with us.
        gc.disable()
        for number in range(3):
            _occupy(number)
        with _scratch() as places, _entrant() as entrant:
            whole = {**facts, **places, "entrant": entrant}
            kept_waiting = 0
            for name in names:
                given_up = kept_waiting >= _PATIENCE
                outcome = _GIVEN_UP if given_up else _attempt(CATALOGUE[name], whole, target.ceiling)
                kept_waiting = kept_waiting + 1 if outcome.lost else 0
                _say(writer, name, outcome)
    except Exception as error:
        _say(writer, None, Outcome(None, str(error)))
    finally:
        os._exit(_FAILED)


def _leave(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _ToldToGo


def _occupy(number: int) -> None:
    """Nothing else may get the number of a stream: a pipe that leads nowhere."""
    reader, writer = os.pipe()
    for fd in (reader, writer):
        if fd != number:
            os.close(fd)


def _say(writer: int, name: str | None, outcome: Outcome) -> None:
    os.write(writer, json.dumps([name, outcome], default=str).encode() + b"\n")


@contextlib.contextmanager
def _scratch() -> Iterator[dict[str, Any]]:
    """Directories of our own in the jail, in memory and on its root, and a file in there that is another user's."""
    _sweep()
    name = f"{_SCRATCH}{os.urandom(4).hex()}"
    made = []
    try:
        for path in (f"{place}{name}" for place in _PLACES):
            made.append(path)
            try:
                _make_directory(path)
            except OSError:
                made.remove(path)
        if not made:
            raise OSError("the jail has no place to write to")
        foreign = f"{made[0]}/foreign"
        os.close(os.open(foreign, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.chown(foreign, 1, 1)
        yield {"scratch": made[0], "places": made, "foreign_file": foreign}
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for path in made:
            _remove(path)


def _make_directory(path: str) -> None:
    """For everybody, and held for as long as we live: whoever comes after us removes what nobody holds."""
    os.mkdir(path, 0o700)
    fcntl.flock(os.open(path, _DIRECTORY), fcntl.LOCK_EX)
    os.chmod(path, 0o777)


def _sweep() -> None:
    """Remove what helpers have left that were killed: directories of theirs that nobody holds."""
    for place in _PLACES:
        with contextlib.suppress(OSError):
            for name in os.listdir(place):
                if name.startswith(_SCRATCH):
                    _remove_unless_held(f"{place}{name}")


def _remove_unless_held(path: str) -> None:
    with contextlib.suppress(OSError, KernelError), files.closing(os.open(path, _DIRECTORY)) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(path)


def _remove(path: str) -> None:
    """A tree of ours, with what an attacker has mounted in there who was killed before he could take it away."""
    for name in os.listdir(path):
        with contextlib.suppress(OSError):
            umount(f"{path}/{name}", DETACH | NO_FOLLOW)
    trees.remove_tree(path)


@contextlib.contextmanager
def _entrant() -> Iterator[int]:
    """A process of ours that has entered and does nothing, with all powers of the jail's root: its pid in there."""
    held, released = os.pipe()
    told, telling = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(released)
        os.write(telling, str(os.getpid()).encode())
        os.read(held, 1)
        os._exit(0)
    for fd in (held, telling):
        os.close(fd)
    try:
        with files.closing(told):
            if not _is_heard(told, pid):
                raise OSError("somebody in the jail stops whoever enters")
            inside = os.read(told, 32)
        if not inside:
            raise OSError("somebody in the jail kills whoever enters")
        yield int(inside)
    finally:
        os.close(released)
        # It may have been stopped in the meantime, and would not hear that it may go.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _is_heard(reader: int, child: int) -> bool:
    """Whether there is something to read, or a child has ended, before our patience does, or somebody stops it."""
    end = time.monotonic() + _SECONDS
    while not select.select([reader], [], [], _TICK)[0]:
        try:
            stopped = os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            # It has ended since we looked, and is no child that could stop any more: what it has said is there by now.
            return bool(select.select([reader], [], [], 0)[0])
        if stopped or time.monotonic() > end:
            return False
    return True


def _attempt(tried: Attack, facts: Facts, ceiling: Ceiling) -> Outcome:
    """Have a process try it that is all that a command of that user would be, and nothing more."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _be_the_attacker(tried, facts, ceiling, writer)
    os.close(writer)
    try:
        answer = _answer(reader, pid)
    finally:
        os.close(reader)
        status = _end(pid)
    if answer:
        return Outcome(*json.loads(answer))
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in _KILLED:
        return Outcome(False, signal.Signals(os.WTERMSIG(status)).name)
    return Outcome(None, f"killed or stopped by somebody, or no end in {_SECONDS:.0f} s", lost=True)


def _end(attacker: int) -> int:
    """Kill it, and its children with it, as it leads a session of its own; how it ended, as waitpid(2) has it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(attacker, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(attacker, signal.SIGKILL)
    return os.waitpid(attacker, 0)[1]


def _answer(reader: int, attacker: int) -> bytes:
    """Up to the end of the line, or of our patience."""
    answer = b""
    while not answer.endswith(b"\n"):
        if not _is_heard(reader, attacker):
            return b""
        data = os.read(reader, 65536)
        if not data:
            return b""
        answer += data
    return answer


def _be_the_attacker(tried: Attack, facts: Facts, ceiling: Ceiling, writer: int) -> None:
    """As a command becomes what it is (enter), up to its exec; it never returns."""
    try:
        processes.set_undumpable()
        for number in (signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        processes.close_descriptors({writer})
        processes.join_new_keyring()
        impose(ceiling, uid=tried.user, gid=tried.user, groups=[tried.user] if tried.user else [])
        if ceiling.securebits & _NOROOT:
            # What exec would have done: root is nobody special.
            capabilities.set_capabilities(permitted=(), effective=())
        processes.set_parent_death_signal(signal.SIGKILL)
        Child(writer).leave_if_alone()
        outcome = try_it(tried, facts)
        os.write(writer, json.dumps(outcome, default=str).encode() + b"\n")
    except Exception as error:
        os.write(writer, json.dumps([None, f"{type(error).__name__}: {error}"]).encode() + b"\n")
    finally:
        os._exit(0)
