# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks as a module carries them out, each in a process of its own that can be killed at any of its steps."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ansible_collections.hosting.jails.plugins.module_utils._engine import apply, install
from ansible_collections.hosting.jails.plugins.module_utils._engine.converge import converge
from ansible_collections.hosting.jails.plugins.module_utils._engine.launch import init, setup
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import templates
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import server
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor.connection import try_connect
from ansible_collections.hosting.jails.plugins.module_utils._kernel import iproute, libc, links
from ansible_collections.hosting.jails.plugins.module_utils._model.planner import Wanted
from ansible_collections.hosting.jails.tests.faults import roots
from ansible_collections.hosting.jails.tests.faults.expected import EXPECTED
from ansible_collections.hosting.jails.tests.faults.world import settled, strays
from ansible_collections.hosting.jails.tests.integration.jails import wait_until

NAME = "flt-a"
# Audit events (PEP 578) of what changes the world.
_STEPS = frozenset(
    "os.mkdir os.rename os.remove os.rmdir os.link os.symlink os.chmod os.chown os.truncate os.mkfifo os.mknod os.kill "
    "os.fork os.exec os.setxattr os.removexattr os.utime socket.connect socket.bind socket.sendto socket.sendmsg "
    "subprocess.Popen fcntl.flock".split()
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def stride(usual: int) -> int:
    """Every how many steps a long work is killed; FAULTS_EVERY=1 in the environment asks for every single one."""
    return int(os.environ.get("FAULTS_EVERY", usual))


class Outcome(NamedTuple):
    """How a task ended: by its result, by a failure with a message, or killed (both empty)."""

    result: dict[str, Any] | None
    failure: str
    steps: int

    @property
    def killed(self) -> bool:
        return self.result is None and not self.failure

    @property
    def changed(self) -> bool:
        assert self.result is not None, self.failure or "killed"
        return bool(self.result["changed"])

    @property
    def state(self) -> str:
        assert self.result is not None, self.failure or "killed"
        return str(self.result["jail"]["state"])


class Steps:
    """Counts what the present process does to the world, and ends it by SIGKILL just before its ``last``-th step."""

    def __init__(self, last: int = 0) -> None:
        self.last = last
        self.passed = 0
        self.process = os.getpid()

    def count(self) -> None:
        """To be called before each step."""
        if os.getpid() != self.process:
            return
        self.passed += 1
        if self.passed == self.last:
            os.kill(self.process, signal.SIGKILL)
            # The first process of a pid namespace cannot kill itself (pid_namespaces(7)).
            os._exit(137)

    def watch(self) -> None:
        """Begin to count, for the rest of this process's life: an audit hook cannot be removed."""
        sys.dont_write_bytecode = True
        sys.addaudithook(self._heard)
        for owner, name in (
            (libc, "call"),
            (libc, "syscall"),
            (os, "write"),
            (links.Connection, "_request"),
            (iproute.Requests, "send"),
        ):
            self._surround(owner, name)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STEPS or (event == "open" and (arguments[2] or 0) & _WRITING):
            self.count()

    def _surround(self, owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            self.count()
            return original(*arguments, **options)

        setattr(owner, name, counted)


def run(function: Callable[[], Any], *, kill_at: int = 0, prepare: Callable[[], None] | None = None) -> Outcome:
    """Carry out a function as a module would, in a child that is killed before its ``kill_at``-th step (from 1)."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            answer = _answer(function, kill_at, prepare)
            with os.fdopen(writer, "wb") as pipe:
                pickle.dump(answer, pipe)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    if not answer:
        return Outcome(None, "", 0)
    outcome, trace = pickle.loads(answer)
    assert not trace, trace
    return outcome


def cut_short(function: Callable[[], Any], moment: int) -> None:
    """Kill a work before that step; one that has come to its end sooner, as it had less to wait for, is done."""
    outcome = run(function, kill_at=moment)
    assert not outcome.failure, (moment, outcome.failure)
    assert strays() == [], moment


def _answer(function: Callable[[], Any], kill_at: int, prepare: Callable[[], None] | None) -> tuple[Outcome, str]:
    # Nothing here tests commands that fail after a moment.
    apply._TRIAL_SECONDS = 0.0
    if prepare:
        prepare()
    steps = Steps(kill_at)
    steps.watch()
    try:
        return Outcome(function() or {}, "", steps.passed), ""
    except EXPECTED as error:
        return Outcome(None, str(error), steps.passed), ""
    except BaseException:
        return Outcome(None, "unexpected", steps.passed), traceback.format_exc()


def task(
    state: str | None = "started",
    *,
    name: str = NAME,
    part: str = "jail",
    apply_mode: str = "live",
    check: bool = False,
    reset: bool = False,
    **given: Any,
) -> Callable[[], dict[str, Any]]:
    """A task of one of the modules, to be ``run``."""
    wanted = Wanted(jail=name, given=given, state=state if part == "jail" else None, part=part, reset=reset)
    return lambda: converge(wanted, apply_mode=apply_mode, check=check)


def template(name: str = "flt") -> None:
    """The template that the tests' jails are clones of."""
    templates.ensure(name, roots.source())


def removed(before: list[str], moment: int = 0) -> None:
    """The jail is removed, and nothing on the machine says that it ever was; ``moment`` is when a task was killed."""
    outcome = run(task("absent"))
    assert not outcome.failure, (moment, outcome.failure)
    assert settled(before) == [], moment


def whole_jail(number: int = 1, **given: Any) -> dict[str, Any]:
    """Options of a jail with everything: a clone, limits, a network, a program that runs."""
    return {
        "command": ["/bin/sleep", "1000"],
        "rootfs": {"source": {"template": "flt"}},
        "limits": {"pids": 50, "memory": "64M"},
        "ip": {"mode": "vnet", "addresses": [f"10.22.{number // 250}.{number % 250 + 1}/32"]},
        "stop": {"signal": "SIGTERM", "timeout": 3},
        **given,
    }


@contextlib.contextmanager
def supervised(
    *, kill_at: int = 0, role: str = "supervisor", version: str = "", prepare: Callable[[], None] | None = None
) -> Iterator[int]:
    """A supervisor that stays for a block, with something done in it before it begins; its pid.

    With ``kill_at`` it is killed before that step of a start: itself (as a ``restarter`` in the first start that is by
    a jail's policy), or with another ``role`` the first (``setup``) or the second (``init``) process of a start.
    """
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            if kill_at:
                _arrange_death(role, kill_at)
            if prepare:
                prepare()
            server.main(version or install.engine_version(), stay=True)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    try:
        _wait_for_supervisor()
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _wait_for_supervisor() -> None:
    wait_until(try_connect, what="the supervisor").close()


def _arrange_death(role: str, kill_at: int) -> None:
    owner: Any
    owner, name = {"setup": (setup, "run"), "init": (init, "run")}.get(role, (server.Server, "_begin"))
    original = getattr(owner, name)

    def mortal(*arguments: Any, **options: Any) -> Any:
        # Server._begin(self, name, restarts, connection)
        if role != "restarter" or arguments[2]:
            Steps(kill_at).watch()
        return original(*arguments, **options)

    setattr(owner, name, mortal)
