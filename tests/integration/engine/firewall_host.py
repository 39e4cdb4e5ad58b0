# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host of one test, with another machine on its network, and servers and clients on all of them.

``ip`` sections go through the same ``converge`` as those of a task.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._engine import network
from ansible_collections.hosting.jails.plugins.module_utils._engine.converge import converge
from ansible_collections.hosting.jails.plugins.module_utils._kernel import links, namespaces, sysctls
from ansible_collections.hosting.jails.plugins.module_utils._model.planner import Wanted
from ansible_collections.hosting.jails.tests.integration.engine import network_host as host
from ansible_collections.hosting.jails.tests.integration.jails import PATIENCE

HOST4, HOST6 = "192.0.2.1", "2001:db8::1"
OUTSIDE4, OUTSIDE6 = "192.0.2.2", "2001:db8::2"
WEB1 = {"mode": "vnet", "addresses": ["10.36.0.11", "fd00:36::11"]}
WEB2 = {"mode": "vnet", "addresses": ["10.36.0.12", "fd00:36::12"]}

# What is not there after this long in silence was dropped.
_SILENCE = 0.4


class Network:
    """Where packets come from: ``host``, ``outside``, or the name of a jail."""

    def __init__(self) -> None:
        host.enter_private_host()
        self._outside = namespaces.new_network_namespace()
        with links.Connection() as connection:
            connection.create_veth("wan", peer="eth0", namespace=self._outside, mac="02:00:00:00:00:02", mtu=1500)
            self._set_up(connection, "wan", f"{HOST4}/24", f"{HOST6}/64")
        with self.at("outside"), links.Connection() as connection:
            self._set_up(connection, "eth0", f"{OUTSIDE4}/24", f"{OUTSIDE6}/64")
            connection.set_link(host.link("lo"), up=True)
        sysctls.write("net/ipv4/ip_forward", "1")
        sysctls.write("net/ipv6/conf/all/forwarding", "1")

    @staticmethod
    def _set_up(connection: links.Connection, name: str, *addresses: str) -> None:
        connection.set_link(host.link(name), up=True)
        for address in addresses:
            connection.add_address(host.link(name), address)

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Be there; sockets that are opened there stay there."""
        if place == "host":
            yield
        elif place == "outside":
            with namespaces.visiting(self._outside, namespaces.NEWNET):
                yield
        else:
            with host.inside(place):
                yield

    def route_back(self, jails: str) -> None:
        """Have the other machine know the way to addresses of jails."""
        with self.at("outside"), links.Connection() as connection:
            connection.add_route(host.link("eth0"), jails, via=HOST6 if ":" in jails else HOST4)

    def serve(
        self, place: str, port: int, *, protocol: str = "tcp", family: int = 4, address: str = ""
    ) -> socket.socket:
        """Answer whoever asks with the name of the place and the address that he was seen under."""
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        with self.at(place):
            server = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == 6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind((address, port))
        if protocol == "tcp":
            server.listen()
        answer = _answer_tcp if protocol == "tcp" else _answer_udp
        threading.Thread(target=answer, args=(server, place), daemon=True).start()
        return server

    def ask(self, place: str, address: str, port: int, *, protocol: str = "tcp", seconds: float = PATIENCE) -> str:
        """``PLACE ADDRESS`` of the server and as whom it saw us; ``refused``, or nothing where there was no answer.

        ``forbidden``: what the kernel of the host tells a program of the host whose datagram it dropped or rejected.
        """
        with self.client(place, address, protocol=protocol) as client:
            client.settimeout(seconds)
            try:
                client.connect((address, port))
                client.send(b"?")
                return client.recv(256).decode()
            except ConnectionRefusedError:
                return "refused"
            except PermissionError:
                return "forbidden"
            except OSError:
                return ""

    def hears_nothing(self, place: str, address: str, port: int, *, protocol: str = "tcp") -> bool:
        """Whether packets to there are lost."""
        return self.ask(place, address, port, protocol=protocol, seconds=_SILENCE) in ("", "forbidden")

    def client(self, place: str, address: str, *, protocol: str = "tcp") -> socket.socket:
        """A socket at a place that is not connected yet."""
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        with self.at(place):
            return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)


def _answer_tcp(server: socket.socket, place: str) -> None:
    while True:
        connection, peer = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(16)
            connection.send(f"{place} {peer[0]}".encode())


def _answer_udp(server: socket.socket, place: str) -> None:
    while True:
        _unused, peer = server.recvfrom(16)
        with contextlib.suppress(OSError):
            server.sendto(f"{place} {peer[0]}".encode(), peer)


def apply(name: str, ip: dict[str, Any] | None = None, *, state: str | None = None, check: bool = False) -> list[str]:
    """What a task of jail_ip does, as it returns its actions; ``state`` absent removes the jail."""
    given = {"ip": ip} if ip is not None else {}
    wanted = Wanted(name, given, state=state, part="jail" if state else "ip")
    result = converge(wanted, apply_mode="live", check=check)
    assert result["changed"] == bool(result["actions"])
    return list(result["actions"])


def rules() -> list[Any]:
    """All that nft knows in the host's namespace, without the numbers that it gives."""
    done = subprocess.run(["nft", "-j", "list", "ruleset"], check=True, capture_output=True, text=True)
    return [_without_handles(entry) for entry in json.loads(done.stdout)["nftables"] if "metainfo" not in entry]


def _without_handles(entry: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {kind: {key: value for key, value in found.items() if key != "handle"} for kind, found in entry.items()}


def run_nft(*commands: str) -> None:
    """Do what an administrator does."""
    for command in commands:
        subprocess.run(["nft", *command.split()], check=True)


def world() -> list[Any]:
    """Everything that a jail could leave behind on the host."""
    marks = [f"mark {directory}" for directory, _unused, files in os.walk("/run/jails") if "rules" in files]
    return [*host.world(), *marks, *rules()]


def has_network(name: str) -> bool:
    return network.observe(name) is not None
