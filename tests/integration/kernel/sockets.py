# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What processes do with sockets: ordinary things, and what nobody should get away with.

Each is to be run by ``held_group``: it returns addresses as text, and raises the OSError that it meets.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
Option = tuple[int, int, Any]

_libc = ctypes.CDLL(None, use_errno=True)


def family_of(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _name(address: str, port: int) -> Any:
    """As bind(2) takes it, with the scope that follows a '%'."""
    return socket.getaddrinfo(address, port, flags=socket.AI_NUMERICHOST)[0][4]


def open_socket(family: int, kind: int, protocol: int = 0) -> bool:
    socket.socket(family, kind, protocol).close()
    return True


def bind(address: str, kind: int = TCP, port: int = 0, options: Sequence[Option] = ()) -> str:
    """Where a socket is bound to after bind(2)."""
    with socket.socket(family_of(address), kind) as made:
        for option in options:
            made.setsockopt(*option)
        made.bind(_name(address, port))
        return str(made.getsockname()[0])


def bind_unspecified(address: str) -> str:
    """bind(2) with the family AF_UNSPEC, which counts as IPv4 for the wildcard (ip(7))."""
    with socket.socket(socket.AF_INET, UDP) as made:
        packed = struct.pack("=HH4s8x", socket.AF_UNSPEC, 0, socket.inet_aton(address))
        _check(_libc.bind(made.fileno(), packed, len(packed)))
        return str(made.getsockname()[0])


def listen(address: str = "", *, family: int = socket.AF_INET) -> str:
    """The name of a listening socket, which the kernel binds itself if nobody else has."""
    with socket.socket(family, TCP) as made:
        if address:
            made.bind((address, 0))
        made.listen(1)
        return str(made.getsockname()[0])


def serve_neighbours(link: str) -> Iterator[Any]:
    """serve() on the link-local address of a link; yields that and the port."""
    with open("/proc/net/if_inet6", encoding="ascii") as file:
        fields = [line.split() for line in file]
    (packed,) = [bytes.fromhex(line[0]) for line in fields if line[5] == link and line[3] == "20"]
    address = socket.inet_ntop(socket.AF_INET6, packed)
    for value in serve(f"{address}%{link}"):
        yield address, value


def serve(address: str, port: int = 0, options: Sequence[Option] = (), answer: str = "") -> Iterator[Any]:
    """Tell everyone who connects where he comes from; yields the port. An empty address means listen without bind."""
    with socket.socket(family_of(address), TCP) as made:
        for option in ((socket.SOL_SOCKET, socket.SO_REUSEADDR, 1), *options):
            made.setsockopt(*option)
        if address:
            made.bind(_name(address, port))
        made.listen(16)
        yield made.getsockname()[1]
        while True:
            connection, peer = made.accept()
            connection.sendall(f"{answer} {peer[0]}".strip().encode())
            connection.close()


def converse(address: str, port: int = 0) -> Iterator[Any]:
    """Take one connection and echo what comes; yields the port."""
    with socket.socket(family_of(address), TCP) as made:
        made.bind((address, port))
        made.listen(1)
        yield made.getsockname()[1]
        connection, _unused = made.accept()
        while data := connection.recv(100):
            connection.sendall(data)
        time.sleep(60)


def connect(address: str, port: int, *, family: int = 0, source: str = "", options: Sequence[Option] = ()) -> str:
    """What the server says of us."""
    with socket.socket(family or family_of(address), TCP) as made:
        for option in options:
            made.setsockopt(*option)
        if source:
            made.bind((source, 0))
        made.connect((address, port))
        return made.recv(100).decode()


def connect_to_neighbour(address: str, port: int, link: str) -> str:
    """The same, for a link-local address."""
    with socket.socket(socket.AF_INET6, TCP) as made:
        made.connect((address, port, 0, socket.if_nametoindex(link)))
        return made.recv(100).decode()


def connect_quickly(address: str, port: int) -> str:
    """TCP fast open: the data goes along with the first packet."""
    with socket.socket(family_of(address), TCP) as made:
        made.settimeout(None)
        made.sendto(b"hello", socket.MSG_FASTOPEN, (address, port))
        return made.recv(100).decode()


def receive(address: str, port: int = 0) -> Iterator[Any]:
    """Answer datagrams with where they come from; yields the port."""
    with socket.socket(family_of(address), UDP) as made:
        made.bind((address, port))
        yield made.getsockname()[1]
        while True:
            _unused, peer = made.recvfrom(100)
            made.sendto(peer[0].encode(), peer)


def send(
    address: str,
    port: int,
    *,
    family: int = 0,
    connected: bool = False,
    source: str = "",
    control: Sequence[tuple[int, int, bytes]] = (),
    options: Sequence[Option] = (),
    flow: int = 0,
    flags: int = 0,
) -> str:
    """What the receiver says of us. An answer that does not come is a timeout."""
    family = family or family_of(address)
    target: Any = (address, port, flow) if family == socket.AF_INET6 else (address, port)
    with socket.socket(family, UDP) as made:
        for option in options:
            made.setsockopt(*option)
        if source:
            made.bind((source, 0))
        if connected:
            made.connect(target)
        made.sendmsg([b"x"], control, flags, None if connected else target)
        return made.recv(100).decode()


def packet_info4(source: str) -> list[tuple[int, int, bytes]]:
    """Control message that names the source of a datagram (ip(7), IP_PKTINFO)."""
    return [(socket.IPPROTO_IP, 8, struct.pack("=I4s4x", 0, socket.inet_aton(source)))]


def packet_info6(source: str) -> list[tuple[int, int, bytes]]:
    """The same for IPv6 (ipv6(7), IPV6_PKTINFO)."""
    return [(socket.IPPROTO_IPV6, 50, struct.pack("=16sI", socket.inet_pton(socket.AF_INET6, source), 0))]


def send_many(address: str, port: int, sources: Sequence[str]) -> list[str]:
    """sendmmsg(2), each datagram with a source of its own; what the receiver says of those that it gets."""
    with socket.socket(socket.AF_INET, UDP) as made:
        name = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton(address))
        held: list[Any] = []
        headers = b""
        for source in sources:
            control = struct.pack("=QII", 28, socket.IPPROTO_IP, 8) + struct.pack(
                "=I4s4x4x", 0, socket.inet_aton(source)
            )
            parts = [ctypes.create_string_buffer(part, len(part)) for part in (name, b"x", control)]
            vector = ctypes.create_string_buffer(struct.pack("=QQ", ctypes.addressof(parts[1]), 1), 16)
            held += [*parts, vector]
            headers += struct.pack(
                "=QI4xQQQQi4xI4x",
                ctypes.addressof(parts[0]),
                len(name),
                ctypes.addressof(vector),
                1,
                ctypes.addressof(parts[2]),
                28,
                0,
                0,
            )
        array = ctypes.create_string_buffer(headers, len(headers))
        count = _check(_libc.sendmmsg(made.fileno(), array, len(sources), 0))
        return [made.recv(100).decode() for _unused in range(count)]


def send_then_connect(address: str, port: int) -> list[str]:
    """The kernel has bound the socket to a port and no address by then."""
    with socket.socket(socket.AF_INET, UDP) as made:
        made.sendto(b"x", (address, port))
        answers = [made.recv(100).decode()]
        made.connect((address, port))
        made.send(b"x")
        return [*answers, made.recv(100).decode()]


def disconnect_and_send(address: str, port: int) -> list[str]:
    """connect(2) to AF_UNSPEC takes a connection back, and with it what the kernel chose."""
    with socket.socket(socket.AF_INET, UDP) as made:
        made.connect((address, port))
        _check(_libc.connect(made.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16))
        after = made.getsockname()[0]
        made.sendto(b"x", (address, port))
        return [after, made.recv(100).decode()]


def become_ipv4(address: str, port: int) -> str:
    """IPV6_ADDRFORM makes an IPv6 socket that is connected to a mapped address an IPv4 socket (ipv6(7))."""
    with socket.socket(socket.AF_INET6, TCP) as made:
        made.connect((f"::ffff:{address}", port))
        made.setsockopt(socket.IPPROTO_IPV6, 1, socket.AF_INET)
        made.sendall(b"x")
        assert made.recv(100) == b"x"
        return str(socket.socket(fileno=made.detach()).getsockname()[0])


def connect_by_ipv4_name(address: str, port: int) -> str:
    """An IPv6 datagram socket takes names of IPv4 as well."""
    with socket.socket(socket.AF_INET6, UDP) as made:
        name = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton(address))
        _check(_libc.connect(made.fileno(), name, len(name)))
        made.send(b"x")
        return made.recv(100).decode()


def overhear(group: str) -> Iterator[Any]:
    """Join a multicast group; yields the port that we listen at on every address, then what comes within a second."""
    with socket.socket(socket.AF_INET, UDP) as made:
        made.sendto(b"x", ("127.0.0.1", 9))  # The kernel binds it, to a port and no address.
        made.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton("10.35.0.1")
        )
        made.settimeout(1.0)
        yield made.getsockname()[1]
        heard = []
        try:
            while True:
                heard.append(made.recv(100))
        except TimeoutError:
            yield heard


def call_out(address: str, port: int) -> int:
    """Send one datagram and expect nothing; multicast and broadcast are allowed."""
    with socket.socket(socket.AF_INET, UDP) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.35.0.1"))
        return made.sendto(b"heard", (address, port))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, "")
    return int(result)
