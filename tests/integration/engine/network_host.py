# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that belongs to one test: a network namespace instead of the machine's own links, addresses and routes."""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._engine import firewall, places
from ansible_collections.hosting.jails.plugins.module_utils._kernel import (
    links,
    namespaces,
    nftables,
    processes,
    rtnetlink,
    sysctls,
)
from ansible_collections.hosting.jails.plugins.module_utils._model.document import effective, normalise

# What changes the world: before and after each of them is a moment at which the engine can be killed.
_STEPS = (
    (links.Connection, "_request"),
    (namespaces, "new_network_namespace"),
    (namespaces, "mount"),
    (namespaces, "unmount"),
    (namespaces, "pin"),
    (namespaces, "unpin"),
    (sysctls, "write"),
    (nftables, "_run"),
    (firewall, "_mark"),
    (firewall, "_unmark"),
)

# What the kernel gives a link that is up, some time later; it goes with the link.
_BY_ITSELF = ("fe80:", "ff00:")


def enter_private_host() -> None:
    """Leave the machine's network; called in the forked child that ``private_state`` runs a test in."""
    namespaces.unshare(namespaces.NEWNET)
    with links.Connection() as connection:
        connection.set_link(link("lo"), up=True)


def jail(name: str = "web1", *addresses: str, profile: str = "service", **ip: Any) -> dict[str, Any]:
    """An effective document."""
    if addresses:
        ip = {"mode": "vnet", "addresses": list(addresses), **ip}
    return effective(normalise({"name": name, "ip": ip, "caps": {"profile": profile}}, jail=name))


def link(name: str) -> rtnetlink.Link:
    """A link of the host that has to exist."""
    with rtnetlink.Reader() as reader:
        found = reader.link(name=name)
    assert found is not None, f"the host has no link {name}"
    return found


def has_link(name: str) -> bool:
    with rtnetlink.Reader() as reader:
        return reader.link(name=name) is not None


def world() -> list[str]:
    """Everything on the host that a jail's network could leave behind."""
    with rtnetlink.Reader() as reader:
        found = [f"link {item.name} {item.alias}" for item in reader.links()]
        for item in reader.links():
            addresses = [address.address for address in reader.addresses(item.ifindex)]
            routes = [route.to for route in reader.routes(item.ifindex)]
            found += [f"address {item.name} {address}" for address in addresses if not address.startswith(_BY_ITSELF)]
            found += [f"route {item.name} {to}" for to in routes if not to.startswith(_BY_ITSELF)]
    pins = [directory for directory, _unused, names in os.walk(places.RUNTIME) if "net" in names]
    return sorted(found + [f"pin {directory}" for directory in pins])


def namespace_fd(name: str) -> int | None:
    """Descriptor of a jail's pinned network namespace; None where none is pinned (mode host, or never made)."""
    path = places.namespace(name, "net")
    return namespaces.open_pin(path) if namespaces.is_pinned(path) else None


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Be in a jail's network, as its processes are."""
    fd = namespace_fd(name)
    assert fd is not None, f"jail {name} has no network namespace"
    try:
        with namespaces.visiting(fd, namespaces.NEWNET):
            yield
    finally:
        os.close(fd)


def answers(address: str, *, seconds: float = 30.0) -> bool:
    """Whether an echo request from where we are is answered by that address.

    Asked again and again: the kernel opens a link that has just come up for packets when it finds the time.
    """
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if ":" in address else (socket.AF_INET, 1)
    request, reply = (128, 129) if ":" in address else (8, 0)
    deadline = time.monotonic() + seconds
    with socket.socket(family, socket.SOCK_RAW, protocol) as raw:
        raw.settimeout(min(0.1, seconds))
        while time.monotonic() < deadline:
            with suppress(OSError):
                raw.sendto(_echo(request, os.getpid() & 0xFFFF), (address, 0))
                while time.monotonic() < deadline:
                    data, sender = raw.recvfrom(2048)
                    if sender[0] == address and data[-8] == reply:
                        return True
    return False


def _echo(kind: int, identifier: int) -> bytes:
    """The kernel fills in the checksum of ICMPv6 only (raw(7))."""
    packet = struct.pack("!BBHHH", kind, 0, 0, identifier, 1)
    total = sum(struct.unpack("!4H", packet))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBHHH", kind, 0, ~total & 0xFFFF, identifier, 1)


def in_child(function: Callable[[], str]) -> str:
    """Result of a function that changes what a process cannot change back."""
    return processes.run_in_child(lambda: function().encode()).decode()


def killed_at(moment: int, operation: Callable[[], object]) -> bool:
    """Run an operation in a child that is killed at its ``moment``-th step (from 1); whether it came that far."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _kill_at(moment)
            operation()
            status = 0
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(status)
    _unused, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0, "the operation failed by itself"
    return False


def kills(operation: Callable[[], object], *, at_least: int, most: int = 200) -> Iterator[int]:
    """Each moment at which the operation was killed; the caller cleans up in between."""
    for moment in range(1, most):
        if not killed_at(moment, operation):
            assert moment > at_least, "the operation has no steps"
            return
        yield moment
    raise AssertionError("the operation does not end")


def _kill_at(moment: int) -> None:
    passed = 0

    def step() -> None:
        nonlocal passed
        passed += 1
        if passed == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    for owner, name in _STEPS:
        _surround(owner, name, step)


def _surround(owner: Any, name: str, step: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def surrounded(*arguments: Any, **options: Any) -> Any:
        step()
        result = original(*arguments, **options)
        step()
        return result

    setattr(owner, name, surrounded)
