# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Programs that hold the sockets of a control group to a list of addresses, on the network stack of the host.

What they decide is what FreeBSD decides for a jail without a network of its own (prison_local_ip4 and its like in
kern_jail.c): a wildcard becomes the first address of its family, loopback becomes that too, any other address is
EADDRNOTAVAIL, and what is sent comes from an address of the list. The addresses are unrolled into compares, so a
program needs no map, and nothing has to be kept but the control group that it is attached to.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from hashlib import sha256

from .address_program import (
    ALLOW,
    ALLOW_LOW_PORT,
    CONTEXT,
    LOAD_PACKET,
    SOCKET,
    SOCKET_IPV4,
    SOCKET_IPV6,
    SOURCE_IPV4,
    SOURCE_IPV6,
    USER_IPV4,
    USER_IPV6,
    USER_PORT,
    WORDS,
    AddressProgram,
    Held,
    mapped,
    words_of,
)
from .bpf_assembler import R0, R1, R2, R3, R4, R5, R7, R8, R9, STACK, Label

# Another one for other programs, from whatever they are made; a test says which.
GENERATION = "0354396f"

# struct bpf_sock, struct __sk_buff (linux/bpf.h).
_FAMILY, _TYPE, _PROTOCOL = 4, 8, 12
_PACKET_PROTOCOL = 16
_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
_ETH_P_IP, _ETH_P_IPV6 = 0x0800, 0x86DD
_IPV4_SOURCE, _IPV4_DESTINATION, _IPV6_SOURCE, _IPV6_DESTINATION = 12, 16, 8, 24
_SOCKADDR_IN, _SOCKADDR_IN6 = 16, 28
# Where they begin, below the end of the stack; aligned to words.
_STACKED4, _STACKED6 = -16, -32

_DESTINATION, _SOURCE, _SOCKET = R7, R8, R9


def sock_create(held: Held) -> bytes:
    """TCP and UDP of the families that there are addresses of.

    An IPv6 socket also carries IPv4. MPTCP would open subflows from other addresses of the host; raw sockets, SCTP and
    UDP-Lite bind and send past the other programs.
    """
    program = AddressProgram(held)
    stream, datagram = Label(), Label()
    families = {socket.AF_INET: bool(held.ipv4), socket.AF_INET6: bool(held.ipv4 or held.ipv6)}
    program.load_word(R2, CONTEXT, _FAMILY)
    for family, usable in families.items():
        if not usable:
            program.jump_if_equal(R2, family, program.refused(errno.EAFNOSUPPORT))
    program.load_word(R3, CONTEXT, _TYPE)
    program.load_word(R4, CONTEXT, _PROTOCOL)
    program.jump_if_equal(R3, socket.SOCK_STREAM, stream)
    program.jump_if_equal(R3, socket.SOCK_DGRAM, datagram)
    program.jump(program.refused(errno.EPROTONOSUPPORT))
    for label, protocols in ((stream, (0, _TCP)), (datagram, (0, _UDP, *((_ICMP, _ICMPV6) if held.ping else ())))):
        program.place(label)
        for protocol in protocols:
            program.jump_if_equal(R4, protocol, program.allowed)
        program.jump(program.refused(errno.EPROTONOSUPPORT))
    return program.finish()


def bind4(held: Held) -> bytes:
    program = AddressProgram(held)
    local = Label()
    if held.no_low_ports:
        program.refuse_low_ports()
    if held.ipv4:
        program.load_word(_DESTINATION, CONTEXT, USER_IPV4)
        program.jump_if_local4(_DESTINATION, local, scratch=R2)
        program.jump_if_own4(_DESTINATION, program.allowed)
    program.jump(program.foreign)
    if held.ipv4:
        program.place(local)
        program.write_context(USER_IPV4, words_of(held.ipv4[0]))
    return program.finish(_bind_verdict(held))


def bind6(held: Held) -> bytes:
    program = AddressProgram(held)
    local, ipv4, ipv4_local = Label(), Label(), Label()
    if held.no_low_ports:
        program.refuse_low_ports()
    program.load_words(CONTEXT, USER_IPV6)
    program.jump_if_local6(local)
    program.jump_if_mapped(ipv4)
    program.jump_if_own6(program.allowed)
    program.jump(program.foreign)
    program.place(ipv4)
    if held.ipv4:
        program.jump_if_local4(R5, ipv4_local, scratch=R2)
        program.jump_if_own4(R5, program.allowed)
    program.jump(program.foreign)
    program.place(local)
    if held.ipv6:
        program.write_context(USER_IPV6, words_of(held.ipv6[0]))
        program.jump(program.allowed)
    elif not held.ipv4:
        program.jump(program.foreign)
    program.place(ipv4_local)
    if held.ipv4:
        program.write_context(USER_IPV6, mapped(held.ipv4[0]))
    return program.finish(_bind_verdict(held))


def _bind_verdict(held: Held) -> int:
    return ALLOW_LOW_PORT if held.low_ports else ALLOW


def post_bind4(held: Held) -> bytes:
    """What a socket is bound to in the end, whatever way it took."""
    program = AddressProgram(held)
    program.load_word(R2, CONTEXT, SOCKET_IPV4)
    program.jump_if_own4(R2, program.allowed)
    program.jump(program.foreign)
    return program.finish()


def post_bind6(held: Held) -> bytes:
    program = AddressProgram(held)
    ipv4 = Label()
    program.load_words(CONTEXT, SOCKET_IPV6)
    program.jump_if_own6(program.allowed)
    program.jump_if_mapped(ipv4)
    program.jump(program.foreign)
    program.place(ipv4)
    program.jump_if_own4(R5, program.allowed)
    program.jump(program.foreign)
    return program.finish()


def connect4(held: Held) -> bytes:
    program = AddressProgram(held)
    if held.ipv4:
        local, source = Label(), Label()
        program.load_word(_DESTINATION, CONTEXT, USER_IPV4)
        program.jump_if_local4(_DESTINATION, local, scratch=R2)
        program.jump(source)
        program.place(local)
        program.write_context(USER_IPV4, words_of(held.ipv4[0]))
        program.place(source)
        _check_source4(program)
        _choose_source4(program)
        program.move(R2, 0)
        for offset in range(_STACKED4, 0, 4):
            program.store_word(STACK, offset, R2)
        program.move(R2, socket.AF_INET)
        program.store_half(STACK, _STACKED4, R2)
        program.store_word(STACK, _STACKED4 + 4, _SOURCE)
        program.bind_source(_STACKED4, _SOCKADDR_IN)
    program.jump(program.refused(errno.ENETUNREACH))
    return program.finish()


def connect6(held: Held) -> bytes:
    """An IPv6 socket also connects to IPv4 addresses, which are mapped then."""
    program = AddressProgram(held)
    local, ipv4, native, ipv4_local = Label(), Label(), Label(), Label()
    program.load_words(CONTEXT, USER_IPV6)
    program.jump_if_local6(local)
    program.jump_if_mapped(ipv4)
    program.place(native)
    if held.ipv6:
        _bind_native_source(program)
    program.jump(program.refused(errno.ENETUNREACH))
    program.place(local)
    if held.ipv6:
        program.write_context(USER_IPV6, words_of(held.ipv6[0]))
        program.jump(native)
    elif not held.ipv4:
        program.jump(program.refused(errno.ENETUNREACH))
    else:
        program.jump(ipv4_local)
    program.place(ipv4)
    if held.ipv4:
        _bind_mapped_source(program, ipv4_local)
    program.jump(program.refused(errno.ENETUNREACH))
    return program.finish()


def _load_socket(program: AddressProgram) -> None:
    program.load_pointer(_SOCKET, CONTEXT, SOCKET)
    program.jump_if_null(_SOCKET, program.foreign)


def _check_source4(program: AddressProgram) -> None:
    """Go on only for a socket that has no source address yet. One that has may keep it if it is ours."""
    unbound = Label()
    _load_socket(program)
    program.load_word(_SOURCE, _SOCKET, SOCKET_IPV4)
    program.jump_if_equal(_SOURCE, 0, unbound)
    program.jump_if_own4(_SOURCE, program.allowed)
    program.jump(program.foreign)
    program.place(unbound)


def _choose_source4(program: AddressProgram) -> None:
    """The first address; for a connection to another one of ours, that."""
    chosen = Label()
    program.copy(_SOURCE, _DESTINATION)
    program.jump_if_own4(_DESTINATION, chosen)
    program.move(_SOURCE, words_of(program.held.ipv4[0])[0])
    program.place(chosen)


def _bind_mapped_source(program: AddressProgram, local: Label) -> None:
    """The IPv4 destination is in the last of WORDS; ``local`` is for one that is to be replaced by our own."""
    source = Label()
    program.copy(_DESTINATION, R5)
    program.jump_if_local4(_DESTINATION, local, scratch=R2)
    program.jump(source)
    program.place(local)
    program.write_context(USER_IPV6, mapped(program.held.ipv4[0]))
    program.move(_DESTINATION, words_of(program.held.ipv4[0])[0])
    program.place(source)
    _check_source4(program)
    _choose_source4(program)
    _begin_sockaddr_in6(program)
    program.move(R2, mapped(program.held.ipv4[0])[2])
    program.store_word(STACK, _STACKED6 + 16, R2)
    program.store_word(STACK, _STACKED6 + 20, _SOURCE)
    program.bind_source(_STACKED6, _SOCKADDR_IN6)


def _bind_native_source(program: AddressProgram) -> None:
    bound, own = Label(), Label()
    _load_socket(program)
    program.load_words(_SOCKET, SOCKET_IPV6)
    program.jump_unless_zero6(bound)
    _begin_sockaddr_in6(program)
    program.load_words(CONTEXT, USER_IPV6)
    program.jump_if_own6(own)
    for register, word in zip(WORDS, words_of(program.held.ipv6[0])):
        program.move(register, word)
    program.place(own)
    for number, register in enumerate(WORDS):
        program.store_word(STACK, _STACKED6 + 8 + 4 * number, register)
    program.bind_source(_STACKED6, _SOCKADDR_IN6)
    program.place(bound)
    program.jump_if_own6(program.allowed)
    program.jump(program.foreign)


def _begin_sockaddr_in6(program: AddressProgram) -> None:
    """All of it but the address."""
    program.move(R2, 0)
    for offset in range(_STACKED6, 0, 4):
        program.store_word(STACK, offset, R2)
    program.move(R2, socket.AF_INET6)
    program.store_half(STACK, _STACKED6, R2)


def sendmsg4(held: Held) -> bytes:
    """A datagram of a socket that is not connected; IP_PKTINFO names its source.

    IPv6 sockets send to mapped addresses by this one as well.
    """
    program = AddressProgram(held)
    if held.ipv4:
        local, source, unbound = Label(), Label(), Label()
        program.load_word(_DESTINATION, CONTEXT, USER_IPV4)
        program.jump_if_local4(_DESTINATION, local, scratch=R2)
        program.jump(source)
        program.place(local)
        program.write_context(USER_IPV4, words_of(held.ipv4[0]))
        program.place(source)
        program.load_word(_SOURCE, CONTEXT, SOURCE_IPV4)
        program.jump_if_equal(_SOURCE, 0, unbound)
        program.jump_if_own4(_SOURCE, program.allowed)
        program.jump(program.foreign)
        program.place(unbound)
        _choose_source4(program)
        program.store_word(CONTEXT, SOURCE_IPV4, _SOURCE)
        program.jump(program.allowed)
    program.jump(program.refused(errno.ENETUNREACH))
    return program.finish()


def sendmsg6(held: Held) -> bytes:
    program = AddressProgram(held)
    if held.ipv6:
        local, source, bound, own = Label(), Label(), Label(), Label()
        program.load_words(CONTEXT, USER_IPV6)
        program.jump_if_local6(local)
        program.jump(source)
        program.place(local)
        program.write_context(USER_IPV6, words_of(held.ipv6[0]))
        program.place(source)
        program.load_words(CONTEXT, SOURCE_IPV6)
        program.jump_unless_zero6(bound)
        program.load_words(CONTEXT, USER_IPV6)
        program.jump_if_own6(own)
        program.write_context(SOURCE_IPV6, words_of(held.ipv6[0]))
        program.jump(program.allowed)
        program.place(own)
        for number, register in enumerate(WORDS):
            program.store_word(CONTEXT, SOURCE_IPV6 + 4 * number, register)
        program.jump(program.allowed)
        program.place(bound)
        program.jump_if_own6(program.allowed)
        program.jump(program.foreign)
    program.jump(program.refused(errno.ENETUNREACH))
    return program.finish()


def getsockname4(held: Held) -> bytes:
    """A socket that the kernel has given a port, and no address, is reached at our first one: say that."""
    program = AddressProgram(held)
    if held.ipv4:
        _allow_unless_wildcard(program, USER_IPV4, 1)
        program.write_context(USER_IPV4, words_of(held.ipv4[0]))
    return program.finish()


def getsockname6(held: Held) -> bytes:
    program = AddressProgram(held)
    if held.ipv4 or held.ipv6:
        _allow_unless_wildcard(program, USER_IPV6, 4)
        program.write_context(USER_IPV6, words_of(held.ipv6[0]) if held.ipv6 else mapped(held.ipv4[0]))
    return program.finish()


def _allow_unless_wildcard(program: AddressProgram, offset: int, words: int) -> None:
    program.load_word(R2, CONTEXT, USER_PORT)
    program.jump_if_equal(R2, 0, program.allowed)
    for number in range(words):
        program.load_word(R2, CONTEXT, offset + 4 * number)
        program.jump_if_other(R2, 0, program.allowed)


def ingress(held: Held) -> bytes:
    """What a socket receives was sent to an address of ours: no broadcast, no multicast, nothing for the host."""
    return _packet_program(held, _IPV4_DESTINATION, _IPV6_DESTINATION)


def egress(held: Held) -> bytes:
    """The last line: whatever socket and option it took, a packet comes from an address of ours."""
    return _packet_program(held, _IPV4_SOURCE, _IPV6_SOURCE)


def _packet_program(held: Held, offset4: int, offset6: int) -> bytes:
    # Such a program chooses no errno: a refused packet is EPERM to its sender.
    program = AddressProgram(held._replace(names_errors=False))
    ipv6 = Label()
    program.load_word(R2, CONTEXT, _PACKET_PROTOCOL)
    program.jump_if_equal(R2, socket.htons(_ETH_P_IPV6), ipv6)
    program.jump_if_other(R2, socket.htons(_ETH_P_IP), program.foreign)
    _load_packet(program, offset4, 4)
    program.load_word(R2, STACK, -16)
    program.jump_if_own4(R2, program.allowed)
    program.jump(program.foreign)
    program.place(ipv6)
    _load_packet(program, offset6, 16)
    program.load_words(STACK, -16)
    program.jump_if_own6(program.allowed)
    program.jump(program.foreign)
    return program.finish()


def _load_packet(program: AddressProgram, offset: int, length: int) -> None:
    """Copy from the packet, which begins with its network header here, to the stack."""
    program.copy(R1, CONTEXT)
    program.move(R2, offset)
    program.copy(R3, STACK)
    program.add(R3, -16)
    program.move(R4, length)
    program.call(LOAD_PACKET)
    program.jump_if_other(R0, 0, program.foreign)


# By the hook of the control group that each is for.
BUILDERS: dict[str, Callable[[Held], bytes]] = {
    "sock_create": sock_create,
    "bind4": bind4,
    "bind6": bind6,
    "post_bind4": post_bind4,
    "post_bind6": post_bind6,
    "connect4": connect4,
    "connect6": connect6,
    "sendmsg4": sendmsg4,
    "sendmsg6": sendmsg6,
    "getsockname4": getsockname4,
    "getsockname6": getsockname6,
    "ingress": ingress,
    "egress": egress,
}


def programs(held: Held) -> dict[str, bytes]:
    """All programs by their hooks."""
    return {hook: build(held) for hook, build in BUILDERS.items()}


def identity(held: Held) -> str:
    """A name for these very programs, without making them."""
    return sha256(repr((GENERATION, *held)).encode()).hexdigest()[:12]
