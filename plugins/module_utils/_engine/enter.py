# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import signal
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .._kernel import descriptors, files, mounts, namespaces, pidfd, processes, terminals
from .._kernel.credentials import become
from .._kernel.errors import KernelError
from . import places, status, store
from .ceiling import Ceiling, impose, read_ceiling, step_down
from .errors import EngineError
from .launch import accounts, control, programs
from .launch.control import Child
from .launch.programs import PATH
from .relay import Relay, may_be_inherited

_ALL_NAMESPACES = (
    namespaces.NEWUSER
    | namespaces.NEWNS
    | namespaces.NEWPID
    | namespaces.NEWNET
    | namespaces.NEWIPC
    | namespaces.NEWUTS
    | namespaces.NEWCGROUP
)
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_FAILED = 125
# VEOF (termios(3)): once for what is left of a line without an end, once for the end.
_END_OF_FILE = b"\x04\x04"


class Entry(NamedTuple):
    """A command to run in a running jail. ``terminal`` gives it a pseudo-terminal of the jail's own."""

    command: tuple[str, ...] = ()
    user: str = "root"
    workdir: str = ""
    environment: Mapping[str, str] = {}
    terminal: bool = False


class Target(NamedTuple):
    """The running jail to enter: its init, the group to join, and the ceiling that holds for everything in it.

    ``delegates``: its root may make groups below the jail's own. Whoever enters closes ``pidfd``.
    """

    name: str
    pid: int
    pidfd: int
    ceiling: Ceiling
    environment: Mapping[str, str]
    delegates: bool


def run(name: str, entry: Entry) -> int:
    """Run a command in a jail with our standard streams, and return its exit status (128 + n for signal n).

    The command is in the jail's control group and namespaces and under the ceiling of its init. What it gets as
    streams are pipes or a terminal of the jail's own, never a file or a terminal of the host's. EngineError when the
    jail does not run, or has no such command.
    """
    return run_in(open_target(name), entry)


def run_in(target: Target, entry: Entry) -> int:
    """What ``run`` does once it has found the jail."""
    relay = Relay()
    with contextlib.ExitStack() as stack:
        ours, theirs = descriptors.channel() if entry.terminal else os.pipe()
        stack.callback(os.close, ours)
        stack.callback(relay.close)
        streams = [] if entry.terminal else _streams(relay, shares=not target.ceiling.on_host)
        helper = fork_helper(target)
        if helper == 0:
            _enter(target, entry, Child(theirs), streams)
        os.close(theirs)
        stack.callback(os.close, target.pidfd)
        for fd in streams:
            if fd > 2:
                os.close(fd)
        done = pidfd.open_pidfd(helper)
        stack.callback(os.close, done)
        stack.enter_context(_forwarding(done))
        if entry.terminal:
            _relay_terminal(ours, relay, stack)
        _raise_failure(target, ours, helper)
        relay.run(done)
        return _status_of(helper)


def run_quietly(name: str, entry: Entry, *, timeout: float) -> int:
    """Run a command in a jail with nothing to read and nothing heard of it; killed when its time is up.

    That begins with the entry, on which a jail can keep us waiting (a group of its own that it freezes, a file system
    of its own in the way to the command).
    """
    deadline = time.monotonic() + timeout
    target = open_target(name)
    reader, writer = os.pipe()
    os.close(writer)
    ours, theirs = os.pipe()
    sink = _sink(on_host=target.ceiling.on_host)
    with files.closing(ours), files.closing(target.pidfd):
        try:
            helper = fork_helper(target)
            if helper == 0:
                _enter(target, entry, Child(theirs), [reader, sink, sink])
        finally:
            for fd in (theirs, reader, sink):
                os.close(fd)
        with files.closing(pidfd.open_pidfd(helper)) as done:
            if control.is_heard_of(ours, timeout):
                _raise_failure(target, ours, helper)
            if not pidfd.wait(done, deadline - time.monotonic()):
                pidfd.send_signal(done, signal.SIGKILL)
    return _status_of(helper)


def _sink(*, on_host: bool) -> int:
    """The host's null device, on a mount on which its owner changes nothing where that is the jail's root."""
    if not on_host:
        return os.open(os.devnull, os.O_WRONLY)
    with files.closing(mounts.clone_tree(mounts.AT_FDCWD, os.devnull)) as clone:
        mounts.set_attributes(clone, mounts.ATTR_RDONLY)
        return os.open(f"/proc/self/fd/{clone}", os.O_WRONLY)


def _status_of(process: int) -> int:
    """Exit status of a child that ends, in the shell's terms: 128 + n for signal n."""
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return code if code >= 0 else 128 - code


def open_target(name: str) -> Target:
    """The jail of a name, held so that it stays the same one; EngineError when it does not run, or is frozen."""
    state = store.read_state(name)
    if state is None or not status.is_alive(state):
        raise _not_running(name)
    try:
        fd = pidfd.open_pidfd(state.pid)
    except KernelError as error:
        raise _not_running(name) from error
    # The pid may have been given to another process before we had a descriptor for it, but not after.
    if not status.is_alive(state):
        os.close(fd)
        raise _not_running(name)
    if status.group(name).is_frozen():
        os.close(fd)
        raise EngineError(name, "is frozen", remedy="thaw it with state=started first")
    environment, delegates = _started_with(name)
    try:
        ceiling = read_ceiling(name)
    except EngineError as error:
        ended = pidfd.wait(fd, 0)
        os.close(fd)
        if ended:
            raise _not_running(name) from error
        raise
    return Target(name, state.pid, fd, ceiling, environment, delegates)


def _not_running(name: str) -> EngineError:
    if not os.path.exists(places.document(name)):
        return EngineError(name, "there is no such jail on this host", remedy="jailctl list")
    return EngineError(name, "is not running", remedy=f"jailctl start {name}")


def _started_with(name: str) -> tuple[Mapping[str, str], bool]:
    """The jail's own variables, and whether its root makes groups; nothing where somebody has damaged the record.

    To check it as a whole document would take longer than all else here.
    """
    try:
        document = files.read_json(places.started_document(name))
    except files.DamagedFile:
        return {}, False
    if not isinstance(document, dict):
        return {}, False
    caps, environment = document.get("caps"), document.get("environment")
    delegates = isinstance(caps, dict) and caps.get("profile") == "vps"
    if isinstance(environment, dict) and all(isinstance(value, str) for value in environment.values()):
        return environment, delegates
    return {}, delegates


def _streams(relay: Relay, *, shares: bool) -> list[int]:
    """What the command gets as streams 0, 1 and 2: ours where they are pipes, else pipes that we relay.

    Who does not share ours is the host's root: he would open a pipe again by its other end, and change what has a name.
    """
    streams = [0]
    if not (shares and may_be_inherited(0)):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        relay.carry_in(0, writer, closes=writer)
        streams = [reader]
    for fd in (1, 2):
        if shares and may_be_inherited(fd):
            streams.append(fd)
            continue
        reader, writer = os.pipe()
        relay.carry_out(reader, fd, closes=reader)
        streams.append(writer)
    return streams


def _relay_terminal(ours: int, relay: Relay, stack: contextlib.ExitStack) -> None:
    master = descriptors.receive(ours)
    if master is None:
        return
    stack.callback(os.close, master)
    terminals.copy_size(0, master)
    before = signal.signal(signal.SIGWINCH, lambda *_: terminals.copy_size(0, master))
    stack.callback(signal.signal, signal.SIGWINCH, before)
    stack.enter_context(terminals.Raw(0))
    os.set_blocking(master, False)
    # The end of a file that is our input has to be typed: a terminal has no end.
    relay.carry_in(0, master, farewell=b"" if os.isatty(0) else _END_OF_FILE)
    relay.carry_out(master, 1)


@contextlib.contextmanager
def _forwarding(helper: int) -> Iterator[None]:
    """Pass signals that we get on to the helper, who passes them on into the jail; it is known by its pidfd."""

    def forward(received: int, _unused: object) -> None:
        pidfd.send_signal(helper, received)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise_failure(target: Target, ours: int, helper: int) -> None:
    """Wait until the command runs (the socket closes on exec), or raise why it does not."""
    report = control.receive(ours)
    if report is not None and report.error:
        os.waitpid(helper, 0)
        if not report.path and pidfd.is_ending(target.pidfd):
            raise _not_running(target.name)
        raise EngineError(target.name, report.error, path=report.path, remedy=report.remedy)


def _enter(target: Target, entry: Entry, child: Child, streams: list[int]) -> None:
    """Helper process: joins everything that the jail consists of, and waits for the command; it never returns."""
    try:
        _close_streams(set(range(3)) - set(streams))
        join(target, {child.fd, *streams})
        child.leave_if_alone()
        slave = _send_terminal(child.fd) if entry.terminal else -1
        command = _fork_command()
        if command == 0:
            _run_command(target, entry, child, [slave] * 3 if entry.terminal else streams)
        processes.close_descriptors(())
        _close_streams({0, 1, 2})
        os._exit(_wait_for(command))
    except Exception as error:
        child.fail(error)
    finally:
        os._exit(_FAILED)


def _take_limits_of(pid: int) -> None:
    """The limits of the jail's init instead of the caller's.

    To raise one takes the host's root and CAP_SYS_RESOURCE (getrlimit(2)): where that is missing, a caller with less
    (sudo lowers some) gets as near as it may.
    """
    for number, (soft, hard) in enumerate(processes.limits_of(pid)):
        try:
            resource.setrlimit(number, (soft, hard))
        except ValueError:
            most = resource.getrlimit(number)[1]
            resource.setrlimit(number, (most if soft == resource.RLIM_INFINITY else min(soft, most), most))


def _close_streams(fds: set[int]) -> None:
    """A terminal or a file of the caller's does not come along, not even in a process that the jail cannot see."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def fork_helper(target: Target) -> int:
    """Fork the process that is to ``join`` a jail, born in the jail's control group; EngineError where that is refused.

    The group first: limits, devices and sockets go by the group of whoever makes them.
    """
    own, pid = (files.read_text("/proc/self/comm") or "").rstrip("\n"), -1
    # From its first moment on it can be told from who has no business there.
    processes.set_name(places.ENTERING)
    try:
        pid = status.group(target.name).fork_member(below=target.delegates)
        return pid
    except KernelError as error:
        if error.errno == errno.EAGAIN:
            raise _full(target.name) from error
        if pidfd.is_ending(target.pidfd):
            raise _not_running(target.name) from error
        raise EngineError(target.name, str(error), remedy="see jailctl status") from error
    finally:
        if pid:
            processes.set_name(own)


def _full(jail: str) -> EngineError:
    message, remedy = "has as many processes as it may have", "end some of them, or raise the limit"
    return EngineError(jail, message, path="limits.pids", remedy=remedy)


def join(target: Target, keep: set[int]) -> None:
    """Join everything else that a jail consists of; its pid namespace is that of our children. Callers are helpers.

    Undumpable before the first namespace, and again after the change of credentials: whoever may trace us in there
    would have our memory and our descriptors.
    """
    processes.set_parent_death_signal(signal.SIGKILL)
    processes.set_undumpable()
    processes.reset_signals()
    _take_limits_of(target.pid)
    processes.forbid_imports()
    os.umask(0o022)
    processes.close_descriptors({target.pidfd, *keep})
    status.group(target.name).join_version_1()
    with contextlib.suppress(KernelError):
        # Kernels before 5.6 have no time namespaces.
        namespaces.setns(target.pidfd, namespaces.NEWTIME)
    on_host = target.ceiling.on_host
    # Nobody joins the user namespace that he is in (setns(2)).
    namespaces.setns(target.pidfd, _ALL_NAMESPACES & ~namespaces.NEWUSER if on_host else _ALL_NAMESPACES)
    os.close(target.pidfd)
    if on_host:
        step_down(target.ceiling)
    become(uid=0, gid=0, groups=[])
    processes.set_undumpable()
    processes.set_parent_death_signal(signal.SIGKILL)


def _send_terminal(fd: int) -> int:
    """Make a pseudo-terminal in the jail, give its master to the caller, and keep the slave."""
    master, slave = terminals.open_terminal()
    descriptors.send(fd, master)
    os.close(master)
    return slave


def _fork_command() -> int:
    try:
        return os.fork()
    except BlockingIOError as error:
        raise _full("") from error


def _wait_for(command: int) -> int:
    for number in _FORWARDED:
        signal.signal(number, lambda received, _: os.kill(command, received))
    return _status_of(command)


def _run_command(target: Target, entry: Entry, child: Child, streams: list[int]) -> None:
    """The process that becomes the command; it never returns."""
    try:
        processes.set_parent_death_signal(signal.SIGKILL)
        processes.set_undumpable()
        if entry.terminal:
            terminals.make_controlling(streams[0])
        else:
            os.setsid()
        for number, fd in enumerate(_moved_up(streams)):
            os.dup2(fd, number)
        processes.close_descriptors({child.fd})
        os.set_inheritable(child.fd, False)
        processes.join_new_keyring()
        account = accounts.look_up(entry.user)
        command = entry.command or (account.shell, "-l")
        environment = _environment(target, entry, account)
        programs.find(command[0], environment["PATH"])
        accounts.enter_directory(entry.workdir or account.home, required=bool(entry.workdir))
        impose(target.ceiling, uid=account.uid, gid=account.gid, groups=account.groups)
        processes.set_parent_death_signal(signal.SIGKILL)
        child.leave_if_alone()
        programs.execute(command, environment, on_host=target.ceiling.on_host)
    except Exception as error:
        child.fail(error)
    finally:
        os._exit(_FAILED)


def _moved_up(streams: list[int]) -> list[int]:
    """Copies above 2, so that no dup2 overwrites a stream that is still to be copied."""
    return [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in streams]


def _environment(target: Target, entry: Entry, account: accounts.Account) -> dict[str, str]:
    base = {"PATH": PATH, "HOME": account.home, "USER": account.name, "container": "jail"}
    if entry.terminal:
        base["TERM"] = "xterm"
    return {**base, **target.environment, **entry.environment}
