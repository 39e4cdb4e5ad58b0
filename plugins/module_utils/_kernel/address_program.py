# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import errno
import socket
import struct
import sys
from typing import NamedTuple

from .bpf_assembler import R0, R1, R2, R3, R4, R5, R6, STACK, Assembler, Label

# Helpers (bpf-helpers(7)).
BIND = 64
SET_RETURN_VALUE = 187
LOAD_PACKET = 26

CONTEXT = R6
# An IPv6 address in four registers, as they are loaded together everywhere.
WORDS = (R2, R3, R4, R5)

DENY, ALLOW, ALLOW_LOW_PORT = 0, 1, 3

# struct bpf_sock_addr and struct bpf_sock (linux/bpf.h).
USER_IPV4, USER_IPV6, USER_PORT, SOURCE_IPV4, SOURCE_IPV6, SOCKET = 4, 8, 24, 40, 44, 64
SOCKET_IPV4, SOCKET_IPV6 = 24, 28


def words_of(address: str) -> tuple[int, ...]:
    """An address as the kernel keeps it: one word for IPv4, four for IPv6, each in network byte order."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    return struct.unpack(f"={len(packed) // 4}I", packed)


_LOOPBACK6 = words_of("::1")[3]
_MAPPED = words_of("::ffff:0.0.0.0")[2]
_FIRST_BYTE = struct.unpack("=I", b"\xff\0\0\0")[0]
_LOOPBACK4 = struct.unpack("=I", b"\x7f\0\0\0")[0]


def _port(number: int) -> int:
    """A port as the kernel keeps it: two bytes in network byte order, as a number of the host's."""
    return int.from_bytes(number.to_bytes(2, "big"), sys.byteorder)


class Held(NamedTuple):
    """What the sockets of a control group are held to.

    The first address of a family stands in for wildcard and loopback. ``low_ports``: ports below 1024 need no
    capability on these addresses (Linux 5.12); ``no_low_ports``: they are refused, whatever the host's
    net.ipv4.ip_unprivileged_port_start says. With neither it is as on the host. ``ping``: sockets for ICMP echo may be
    made. ``names_errors``: the kernel lets a program choose the errno of its refusal (Linux 5.18), which is EPERM
    otherwise.
    """

    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    low_ports: bool = False
    ping: bool = False
    names_errors: bool = True
    no_low_ports: bool = False


def mapped(address: str) -> tuple[int, ...]:
    """The words of an IPv4 address as it looks on an IPv6 socket: ::ffff:192.0.2.1."""
    return (0, 0, _MAPPED, *words_of(address))


class AddressProgram(Assembler):
    """A program that ends in one of a few verdicts, and the questions that all of them ask about addresses."""

    def __init__(self, held: Held) -> None:
        super().__init__()
        self.held = held
        self.allowed = Label()
        # Not an address of ours; no address of that family; no socket of that family; no such kind of socket; a port
        # that takes a right.
        self._refusals = {
            errno.EADDRNOTAVAIL: Label(),
            errno.ENETUNREACH: Label(),
            errno.EAFNOSUPPORT: Label(),
            errno.EPROTONOSUPPORT: Label(),
            errno.EACCES: Label(),
        }
        self.copy(CONTEXT, R1)

    def refused(self, number: int) -> Label:
        """Where the program ends with that errno."""
        return self._refusals[number]

    @property
    def foreign(self) -> Label:
        """Where the program ends for an address that is not ours."""
        return self._refusals[errno.EADDRNOTAVAIL]

    def finish(self, verdict: int = ALLOW) -> bytes:
        """Put all ends in place; the whole program."""
        self.place(self.allowed)
        self.move(R0, verdict)
        self.exit()
        for number, label in self._refusals.items():
            self.place(label)
            if self.held.names_errors:
                self.move_signed(R1, -number)
                self.call(SET_RETURN_VALUE)
            self.move(R0, DENY)
            self.exit()
        return self.code()

    def load_words(self, base: int, offset: int) -> None:
        for number, register in enumerate(WORDS):
            self.load_word(register, base, offset + 4 * number)

    def write_context(self, offset: int, words: tuple[int, ...]) -> None:
        """Give the caller's address another value."""
        for number, word in enumerate(words):
            self.move(R2, word)
            self.store_word(CONTEXT, offset + 4 * number, R2)

    def jump_if_own4(self, register: int, label: Label) -> None:
        for address in self.held.ipv4:
            self.jump_if_equal(register, words_of(address)[0], label)

    def jump_if_own6(self, label: Label) -> None:
        """For the address in WORDS."""
        for address in self.held.ipv6:
            other = Label()
            for register, word in zip(WORDS, words_of(address)):
                self.jump_if_other(register, word, other)
            self.jump(label)
            self.place(other)

    def jump_if_local4(self, register: int, label: Label, *, scratch: int) -> None:
        """If it is 0.0.0.0 or in 127.0.0.0/8."""
        self.jump_if_equal(register, 0, label)
        self.copy(scratch, register)
        self.keep_bits(scratch, _FIRST_BYTE)
        self.jump_if_equal(scratch, _LOOPBACK4, label)

    def jump_if_local6(self, label: Label) -> None:
        """If the address in WORDS is :: or ::1."""
        other = Label()
        for register in WORDS[:3]:
            self.jump_if_other(register, 0, other)
        self.jump_if_equal(WORDS[3], 0, label)
        self.jump_if_equal(WORDS[3], _LOOPBACK6, label)
        self.place(other)

    def jump_if_mapped(self, label: Label) -> None:
        """If the address in WORDS is an IPv4 address; that is then in the last of them."""
        other = Label()
        for register in WORDS[:2]:
            self.jump_if_other(register, 0, other)
        self.jump_if_equal(WORDS[2], _MAPPED, label)
        self.place(other)

    def jump_unless_zero6(self, label: Label) -> None:
        """If the address in WORDS is not ::."""
        for register in WORDS:
            self.jump_if_other(register, 0, label)

    def refuse_low_ports(self) -> None:
        """End here for ports from 1 to 1023: those whose first byte is 0 to 3, and not the port 0."""
        other = Label()
        self.load_word(R2, CONTEXT, USER_PORT)
        self.jump_if_equal(R2, 0, other)
        self.keep_bits(R2, _port(0xFF00))
        for first in range(4):
            self.jump_if_equal(R2, _port(first << 8), self.refused(errno.EACCES))
        self.place(other)

    def bind_source(self, offset: int, length: int) -> None:
        """Give the socket the source address that is on the stack (struct sockaddr_in or sockaddr_in6), or refuse."""
        self.copy(R1, CONTEXT)
        self.copy(R2, STACK)
        self.add(R2, offset)
        self.move(R3, length)
        self.call(BIND)
        self.jump_if_equal(R0, 0, self.allowed)
        self.jump(self.foreign)
