# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Ask the kernel over netlink(7), with answers that are whole."""

from __future__ import annotations

import errno
import socket
import struct
import time
from collections.abc import Iterator

from .errors import KernelError

DUMP = 0x300
CREATE_NEW, CREATE_OR_REPLACE = 0x600, 0x500
ACKNOWLEDGE = 0x04
_REQUEST, _DUMP_INTERRUPTED = 0x01, 0x10
_ERROR, _DONE = 2, 3
_SOL_NETLINK, _GET_STRICT_CHECK = 270, 12
_NESTED_OR_ORDER = 0xC000
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_TIMEVAL = struct.Struct("@ll")
_RECEIVE_BYTES = 1 << 16
_TIMEOUT_SECONDS = 10
# A dump that another process's change ran into is asked again: on a host of many jails, as long as a fleet is started,
# that is nearly each of them.
_DUMP_SECONDS = 30.0


class Netlink:
    """A socket that asks the network namespace in which it was opened, wherever the process goes later."""

    def __init__(self, protocol: int, name: str) -> None:
        self._protocol = protocol
        self._name = name
        self._socket = self._open()
        self._sequence = 0

    def _open(self) -> socket.socket:
        try:
            opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, self._protocol)
            # A timeout of Python's own would poll before each message.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL.pack(_TIMEOUT_SECONDS, 0))
            # Without it the kernel ignores filters and dumps everything (Linux 4.20).
            opened.setsockopt(_SOL_NETLINK, _GET_STRICT_CHECK, 1)
        except OSError as error:
            raise KernelError.from_os_error("open", self._name, error) from error
        return opened

    def reopen(self) -> None:
        """Ask the present namespace, through a socket of our own: two processes with one would take each other's
        answers."""
        self._socket.close()
        self._socket = self._open()

    def close(self) -> None:
        self._socket.close()

    def ask(self, kind: int, flags: int, request: bytes, answer: int, target: str) -> list[bytes]:
        """Bodies of all messages of a type that answer a request; KernelError with the kernel's errno."""
        deadline = time.monotonic() + _DUMP_SECONDS
        while time.monotonic() < deadline:
            try:
                bodies, interrupted = self._exchange(kind, flags, request, answer, target)
            except OSError as error:
                raise KernelError.from_os_error("read", target, error) from error
            if not interrupted:
                return bodies
        raise KernelError("read", target, errno.EAGAIN)

    def request(self, kind: int, flags: int, body: bytes, operation: str, target: str) -> None:
        """Have something changed, and wait for the kernel's word that it is; KernelError with its errno."""
        try:
            self._exchange(kind, flags | ACKNOWLEDGE, body, 0, target)
        except KernelError as error:
            raise KernelError(operation, target, error.errno) from error
        except OSError as error:
            raise KernelError.from_os_error(operation, target, error) from error

    def _exchange(self, kind: int, flags: int, request: bytes, answer: int, target: str) -> tuple[list[bytes], bool]:
        """Bodies of the answers to one request, and whether a change ran into the dump."""
        self._sequence += 1
        length = _HEADER.size + len(request)
        self._socket.send(_HEADER.pack(length, kind, flags | _REQUEST, self._sequence, 0) + request)
        bodies: list[bytes] = []
        interrupted = False
        while True:
            for message, marks, sequence, body in messages(self._socket.recv(_RECEIVE_BYTES)):
                if sequence != self._sequence:
                    continue
                interrupted = interrupted or bool(marks & _DUMP_INTERRUPTED)
                if message == answer:
                    bodies.append(body)
                if message in (_ERROR, _DONE):
                    _raise_failure(body, target)
                    return bodies, interrupted
            if not flags and bodies:
                return bodies, False


def _raise_failure(body: bytes, target: str) -> None:
    """NLMSG_ERROR and NLMSG_DONE both begin with 0 or a negative errno."""
    code = struct.unpack_from("=i", body)[0] if len(body) >= 4 else 0
    if code:
        raise KernelError("read", target, -code)


def messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Type, flags, sequence number and body of each message that has come in together."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, sequence, _unused = _HEADER.unpack_from(data, offset)
        yield kind, flags, sequence, data[offset + _HEADER.size : offset + length]
        offset += (length + 3) & ~3


def pack(attributes: list[tuple[int, bytes]]) -> bytes:
    """Attributes one after the other, each padded to four bytes."""
    packed = b""
    for kind, value in attributes:
        packed += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + b"\0" * (-len(value) % 4)
    return packed


def u32(number: int) -> bytes:
    """The value of an attribute that is a number of 32 bits."""
    return struct.pack("=I", number)


def unpack(data: bytes) -> dict[int, bytes]:
    """The inverse of pack(); of several with one number the last."""
    attributes: dict[int, bytes] = {}
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            break
        attributes[kind & ~_NESTED_OR_ORDER] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return attributes
