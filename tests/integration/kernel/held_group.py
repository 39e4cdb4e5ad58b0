# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A network namespace that stands for a host, and control groups in it whose sockets are held to addresses.

What a test does there, it does in forked children: each enters the namespace, and a jailed one its group. Their result
comes back, or the name of the errno that they met.
"""

from __future__ import annotations

import abc
import contextlib
import errno
import os
import pickle
import signal
import socket
import subprocess
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._kernel import cgroup_bpf, namespaces, sysctls
from ansible_collections.hosting.jails.plugins.module_utils._kernel.address_program import Held
from ansible_collections.hosting.jails.plugins.module_utils._kernel.address_programs import identity, programs
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroups import Cgroup, Hierarchies, find_hierarchies

SECONDS = 3.0


class Place(abc.ABC):
    """Where functions of a test are run, in forked children that ``enter`` it."""

    @abc.abstractmethod
    def enter(self) -> None:
        """Have the calling process be there."""

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function returns in a process there, or the name of the errno that it meets."""
        return _in_child(self.enter, function, arguments)

    @contextlib.contextmanager
    def running(self, function: Callable[..., Any], *arguments: Any) -> Iterator[Iterator[Any]]:
        """A generator function as a process in the background, for the length of a block, and what it yields."""
        with _in_background(self.enter, function, arguments) as values:
            yield values


class Host(Place):
    """The namespace: a link ``eth0`` that others of the test can have addresses on."""

    def __init__(self, *addresses: str) -> None:
        self._namespace = namespaces.new_network_namespace()
        commands = ["link set lo up", "link add eth0 type veth peer name lan", "link set eth0 up", "link set lan up"]
        for address in addresses:
            commands.append(f"address add {address} dev eth0 {'nodad' if ':' in address else ''}")
        self.run(_set_up, commands)

    def close(self) -> None:
        os.close(self._namespace)

    def enter(self) -> None:
        namespaces.setns(self._namespace, namespaces.NEWNET)


def _set_up(commands: list[str]) -> None:
    # Anybody may open sockets for echo requests, as on hosts with systemd.
    sysctls.write("net/ipv4/ping_group_range", "0 2147483647")
    # A link-local address is there at once, too.
    sysctls.write("net/ipv6/conf/default/accept_dad", "0")
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)


class Group(Place):
    """A control group on that host whose sockets are held to addresses; one without ``held`` is just a group."""

    def __init__(self, host: Host, name: str, held: Held | None) -> None:
        self.host = host
        self._cgroup = Cgroup(Hierarchies(find_hierarchies().unified), f"held-{os.getpid()}-{name}")
        self._cgroup.create()
        if held:
            self.hold(held)

    @property
    def directory(self) -> str:
        return self._cgroup.unified

    def hold(self, held: Held) -> bool:
        return cgroup_bpf.hold(self.directory, identity(held), lambda: programs(held))

    def is_held(self, held: Held) -> bool:
        return cgroup_bpf.is_held(self.directory, identity(held))

    def remove(self) -> None:
        self._cgroup.kill()
        self._cgroup.wait_empty(SECONDS)
        self._cgroup.remove()

    def enter(self) -> None:
        self._cgroup.join()
        self.host.enter()

    def below(self, name: str) -> Group:
        """A group below this one, with nothing attached to itself."""
        return Group(self.host, f"{os.path.basename(self.directory).split('-', 2)[2]}/{name}", None)


def _in_child(enter: Callable[[], None], function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(30)
            enter()
            answer = pickle.dumps(_result(function, arguments))
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(answer)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    assert answer, "the child ended without a result; its trace is on standard error"
    return pickle.loads(answer)


def _result(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    socket.setdefaulttimeout(SECONDS)
    try:
        return function(*arguments)
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))


@contextlib.contextmanager
def _in_background(
    enter: Callable[[], None], function: Callable[..., Any], arguments: tuple[Any, ...]
) -> Iterator[Iterator[Any]]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            enter()
            with os.fdopen(writer, "wb") as pipe:
                for value in function(*arguments):
                    pickle.dump(value, pipe)
                    pipe.flush()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as pipe:
            yield iter(lambda: pickle.load(pipe), None)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
