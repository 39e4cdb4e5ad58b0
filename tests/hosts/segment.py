# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The wire between the hosts of a set: a network namespace with a bridge, which nothing leads out of.

This machine's own namespace has no link, no address and no route of it: whoever wants to talk to the hosts opens a
socket in there (``inside``), ssh through ``connect``. So sets cannot disturb the machine, nor each other, though all
of them use the same addresses.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._kernel import namespaces, processes
from ansible_collections.hosting.jails.tests.hosts import places

_BRIDGE = "segment"
_LINK = "eth0"
_IFA_F_NODAD = 0x02
_CONTROLLER = 0xFFFE


def address(number: int) -> str:
    """IPv4 address of a host."""
    return f"10.33.{number >> 8}.{number & 0xFF}"


def address6(number: int) -> str:
    """IPv6 address of a host."""
    return f"fd00:33::{number:x}"


def create(prefix: str) -> None:
    """Make the wire of a set; one that is there is kept."""
    path = str(places.network(prefix))
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    if namespaces.is_pinned(path):
        return
    fd = namespaces.new_network_namespace()
    try:
        with namespaces.visiting(fd):
            processes.run_in_child(_create_bridge)
        namespaces.pin(fd, path)
    finally:
        os.close(fd)


def remove(prefix: str) -> None:
    """Let the wire go."""
    namespaces.unpin(str(places.network(prefix)))


@contextlib.contextmanager
def inside(prefix: str) -> Iterator[None]:
    """Be on the wire: sockets that are opened in this block stay there."""
    fd = namespaces.open_pin(str(places.network(prefix)))
    try:
        with namespaces.visiting(fd):
            yield
    finally:
        os.close(fd)


def attach(prefix: str, *, name: str, number: int, namespace: int) -> None:
    """Connect the network namespace of a host, which gets a link, its addresses and a default route to nowhere."""
    with inside(prefix):
        processes.run_in_child(lambda: _create_link(name, number, namespace))
    with namespaces.visiting(namespace):
        processes.run_in_child(lambda: _configure_host(number))


def set_cable(prefix: str, name: str, *, plugged: bool) -> None:
    """Pull a host's cable, or plug it in again."""

    def change() -> bytes:
        with _connection() as connection:
            connection.link("set", index=_index(name), state="up" if plugged else "down")
        return b""

    with inside(prefix):
        processes.run_in_child(change)


def _connection() -> Any:
    from pyroute2 import IPRoute

    return IPRoute()


def _index(name: str) -> int:
    return socket.if_nametoindex(name)


def _up(connection: Any, name: str, **options: Any) -> None:
    connection.link("set", index=_index(name), state="up", **options)


def _add_addresses(connection: Any, name: str, number: int) -> None:
    connection.addr("add", index=_index(name), address=address(number), prefixlen=16)
    connection.addr("add", index=_index(name), address=address6(number), prefixlen=64, flags=_IFA_F_NODAD)


def _create_bridge() -> bytes:
    with _connection() as connection:
        _up(connection, "lo")
        connection.link("add", ifname=_BRIDGE, kind="bridge")
        _add_addresses(connection, _BRIDGE, _CONTROLLER)
        _up(connection, _BRIDGE)
    return b""


def _create_link(name: str, number: int, namespace: int) -> bytes:
    """A host has the same MAC after each boot: its neighbours would look for the one of before for half a minute."""
    mac = f"02:33:00:00:{number >> 8:02x}:{number & 0xFF:02x}"
    peer = {"ifname": _LINK, "net_ns_fd": namespace, "address": mac}
    with _connection() as connection:
        with contextlib.suppress(OSError):
            # Of the host's last boot: the kernel takes its time to remove a namespace.
            connection.link("del", index=_index(name))
        connection.link("add", ifname=name, kind="veth", peer=peer)
        _up(connection, name, master=_index(_BRIDGE))
    return b""


def _configure_host(number: int) -> bytes:
    with _connection() as connection:
        _up(connection, "lo")
        _add_addresses(connection, _LINK, number)
        _up(connection, _LINK)
        connection.route("add", dst="0.0.0.0/0", gateway=address(_CONTROLLER))
        connection.route("add", dst="::/0", gateway=address6(_CONTROLLER))
    return b""
