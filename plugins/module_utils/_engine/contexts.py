# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Contexts on the host's own root, with processes and System V IPC apart: what chcontext(8) of VServer did.

A context is an init of ours in namespaces of its own, and two control groups: one for that init, by which the context
is found, and one for everything else in it. When the latter is empty the init ends, and the context with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import NamedTuple

from .._kernel import namespaces, pidfd, processes
from .._kernel.cgroups import Cgroup, Hierarchies
from .._kernel.cgroups import read as read_group_file
from .._kernel.errors import KernelError
from . import context_init, host_command, places, reduced, status
from .context_init import Names
from .errors import EngineError
from .reduced import Reduction

# Those that VServer gave out by itself began here; who asks for one may have a smaller one.
_FIRST, _LAST = 49152, 65535
_NAMESPACES = namespaces.NEWPID | namespaces.NEWIPC | namespaces.NEWNS | namespaces.NEWUTS
_IN_TIME = 5.0
_FAILED = 125
_GONE = b"gone"


class Order(NamedTuple):
    """A command to run in a context: a number of 0 takes a new one. ``reduction`` is of this command alone."""

    command: tuple[str, ...]
    number: int = 0
    reduction: Reduction = Reduction()
    disconnected: bool = False
    names: Names = Names()


class Started(NamedTuple):
    """A command under way: its context, whether that is new, and the process to wait for."""

    number: int
    new: bool
    helper: int


def start(order: Order) -> Started:
    """Run a command in a context, which is made if there is none of that number.

    EngineError for a number that no context has, KernelError where the kernel refuses a namespace.
    """
    if order.number and not 2 <= order.number <= _LAST:
        raise EngineError(
            "",
            f"there is no context {order.number}: 0 is the host, which sees every process, as 1 did",
            remedy=f"take a number from 2 to {_LAST}, or run the command as it is",
        )
    with _locked():
        remove_left_over()
        init = _find(order.number) if order.number else None
        if init is not None:
            try:
                return Started(order.number, False, _join(order, order.number, init))
            except ProcessLookupError:
                # It has come to its end while we were on our way.
                _remove(order.number)
            finally:
                os.close(init)
        number = order.number or _free_number()
        return Started(number, True, _begin(order, number))


def wait(started: Started) -> int:
    """Exit status of a command; its context is cleared away if nothing else is in it."""
    try:
        return host_command.wait_for(started.helper)
    finally:
        with _locked():
            if not _inside(started.number).is_populated():
                _remove(started.number)


def numbers() -> list[int]:
    """The contexts that there are."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(int(name) for name in os.listdir(_group("").unified) if name.isdecimal())
    return []


def remove_left_over() -> None:
    """Remove the groups of contexts that have come to their end since. Callers hold the lock."""
    for number in numbers():
        if not read_group_file(f"{_group(f'{number}/init').unified}/cgroup.procs").strip():
            _remove(number)


def _group(name: str) -> Cgroup:
    """Without controllers: there is nothing to limit."""
    return Cgroup(Hierarchies(status.hierarchies().unified), f"{places.CONTEXTS}/{name}".rstrip("/"))


def _inside(number: int) -> Cgroup:
    return _group(f"{number}/inside")


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One at a time makes, joins or removes contexts."""
    everything = _group("")
    everything.create()
    fd = os.open(everything.unified, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _free_number() -> int:
    taken = set(numbers())
    for number in range(_FIRST, _LAST + 1):
        if number not in taken:
            return number
    raise EngineError("", f"all contexts from {_FIRST} to {_LAST} are in use")


def _find(number: int) -> int | None:
    """A pidfd of the init of a context, None where there is none."""
    path = f"{_group(f'{number}/init').unified}/cgroup.procs"
    pids = read_group_file(path).split()
    if not pids:
        return None
    try:
        fd = pidfd.open_pidfd(int(pids[0]))
    except KernelError:
        return None
    # The number may have been given to another process before we had a descriptor for it, but not after.
    if read_group_file(path).split() == pids:
        return fd
    os.close(fd)
    return None


def _remove(number: int) -> None:
    """Wait for the init, which ends once its context is empty, and remove the groups."""
    init = _find(number)
    if init is not None:
        pidfd.wait(init, _IN_TIME)
        os.close(init)
    with contextlib.suppress(KernelError):
        _group(str(number)).remove(timeout=_IN_TIME)


def _begin(order: Order, number: int) -> int:
    """Make a context, and a first process in it; the helper that waits for that."""
    init_group, inside = _group(f"{number}/init"), _inside(number)
    init_group.create()
    inside.create()
    go, released = os.pipe()
    try:
        pid = context_init.launch(context_init.Place(number, init_group, inside), order.names, hold=go, keep=released)
        init = pidfd.open_pidfd(pid)
        try:
            return _join(order, number, init)
        except ProcessLookupError as error:
            raise EngineError("", "the init of the context died") from error
        finally:
            os.close(init)
    except (KernelError, EngineError):
        os.close(released)
        released = -1
        _remove(number)
        raise
    finally:
        for fd in (go, released):
            if fd >= 0:
                os.close(fd)


def _join(order: Order, number: int, init: int) -> int:
    """Fork the helper, and wait until its command is under way. ProcessLookupError where the context has ended."""
    reader, writer = os.pipe()
    helper = _inside(number).fork_member()
    if helper == 0:
        os.close(reader)
        _help(order, init, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    if not answer:
        return helper
    os.waitpid(helper, 0)
    if answer == _GONE:
        raise ProcessLookupError(f"context {number} has ended")
    raise EngineError("", answer.decode("utf-8", "replace"))


def _help(order: Order, init: int, report: int) -> None:
    """What the helper does; it never returns. Its command is a child of ours, and so of whoever called us."""
    try:
        # Whoever has a copy of the lock's descriptor holds the lock.
        processes.close_descriptors({init, report})
        if pidfd.wait(init, 0):
            os.write(report, _GONE)
            os._exit(_FAILED)
        namespaces.setns(init, _NAMESPACES)
        command = _fork_or_say(report)
        if command == 0:
            if order.disconnected:
                os.setsid()
            reduced.lower(order.reduction)
            processes.close_descriptors(())
            host_command.execute("chcontext", order.command)
        os.close(report)
        os._exit(0 if order.disconnected else host_command.wait_for(command))
    except (KernelError, EngineError, OSError) as error:
        os.write(report, str(error).encode())
    finally:
        os._exit(_FAILED)


def _fork_or_say(report: int) -> int:
    """Fork into the context: the kernel has no memory (ENOMEM) for one whose init is gone (pid_namespaces(7))."""
    try:
        return os.fork()
    except OSError:
        os.write(report, _GONE)
        os._exit(_FAILED)
