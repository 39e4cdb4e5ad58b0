# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The program that looks at every packet a jail sends, on the host's end of its wire.

rp_filter knows no IPv6, and IPV6_FREEBIND lets any process send from any address, without a privilege; a jail that owns
its stack can do as much with IPv4 and ARP. So what does not come from one of the jail's own addresses ends here,
and with it whatever is neither IP nor ARP. Packets to other link-local addresses do too: no router may forward them
(RFC 3927, section 2.7), but Linux does, and the metadata service of a cloud listens on 169.254.169.254.

It is attached with tc in direct-action mode: no firewall of the host has to exist, and none can flush it away.
"""

from __future__ import annotations

import struct
from socket import AF_INET, AF_INET6, htons, inet_pton

# What passes is as if there were no program (TC_ACT_UNSPEC): another filter may come behind it.
PASS, DROP = -1, 2
_ETH_P_IP, _ETH_P_ARP, _ETH_P_IPV6 = 0x0800, 0x0806, 0x86DD
_SKB_PROTOCOL = 16
# Loads from here on count from the network header, wherever the packet begins (SKF_NET_OFF, linux/filter.h).
_NETWORK_HEADER = -0x100000
_IPV4_SOURCE, _IPV4_DESTINATION, _ARP_SENDER, _IPV6_SOURCE = 12, 16, 14, 8
_LINK_LOCAL4, _LINK_LOCAL4_MASK = 0xA9FE0000, 0xFFFF0000
_LINK_LOCAL6, _LINK_LOCAL6_MASK = 0xFE800000, 0xFFC00000

_INSTRUCTION = struct.Struct("=BBhi")
_MOVE, _MOVE_REGISTER, _AND32, _EXIT = 0xB7, 0xBF, 0x54, 0x95
_LOAD_FIELD, _LOAD_PACKET = 0x61, 0x20
_JUMP_EQUAL32, _JUMP_NOT_EQUAL32 = 0x16, 0x56
_RESULT, _ARGUMENT, _PACKET = 0, 1, 6


def program(addresses: list[str], *, gateway: str) -> bytes:
    """Instructions (eBPF, type SCHED_CLS) that let pass what comes from these addresses alone.

    ``gateway`` is the host's IPv4 address on this wire. A packet too short to be looked at passes, for the stack drops
    it: that is how the kernel ends a load beyond the packet.
    """
    ipv4 = [_words(address)[0] for address in addresses if ":" not in address]
    ipv6 = [_words(address) for address in addresses if ":" in address]
    parts = (
        (_ETH_P_IP, _check_word(_IPV4_SOURCE, ipv4, then=_check_destination(_words(gateway)[0]))),
        (_ETH_P_IPV6, _check_ipv6(ipv6)),
        (_ETH_P_ARP, _check_word(_ARP_SENDER, ipv4, then=_return(PASS))),
    )
    code = [_encode(_MOVE_REGISTER, target=_PACKET, source=_ARGUMENT)]
    for protocol, part in parts:
        code.append(_encode(_LOAD_FIELD, target=_RESULT, source=_PACKET, offset=_SKB_PROTOCOL))
        code.append(_encode(_JUMP_NOT_EQUAL32, offset=len(part), value=htons(protocol)))
        code += part
    return b"".join(code + _return(DROP))


def _words(address: str) -> tuple[int, ...]:
    packed = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
    return struct.unpack(f"!{len(packed) // 4}I", packed)


def _check_word(offset: int, accepted: list[int], *, then: list[bytes]) -> list[bytes]:
    """Go on with ``then`` if the word at an offset is among the accepted, else drop.

    With none to accept ``then`` is left out, as the verifier refuses instructions that nothing leads to.
    """
    if not accepted:
        return _return(DROP)
    code = [_load(offset)]
    for position, word in enumerate(accepted):
        remaining = len(accepted) - position - 1
        code.append(_encode(_JUMP_EQUAL32, offset=remaining + len(_return(DROP)), value=word))
    return code + _return(DROP) + then


def _check_destination(gateway: int) -> list[bytes]:
    return [
        _load(_IPV4_DESTINATION),
        _encode(_JUMP_EQUAL32, offset=2, value=gateway),
        _encode(_AND32, target=_RESULT, value=_LINK_LOCAL4_MASK),
        _encode(_JUMP_EQUAL32, offset=len(_return(PASS)), value=_LINK_LOCAL4),
        *_return(PASS),
        *_return(DROP),
    ]


def _check_ipv6(accepted: list[tuple[int, ...]]) -> list[bytes]:
    """An address of the jail's own, or a link-local one: those never leave this wire (RFC 4291, section 2.5.6)."""
    code: list[bytes] = []
    for words in accepted:
        code += _match(list(enumerate(words)))
    return [
        *code,
        _load(_IPV6_SOURCE),
        _encode(_AND32, target=_RESULT, value=_LINK_LOCAL6_MASK),
        _encode(_JUMP_NOT_EQUAL32, offset=len(_return(PASS)), value=_LINK_LOCAL6),
        *_return(PASS),
        *_return(DROP),
    ]


def _match(words: list[tuple[int, int]]) -> list[bytes]:
    """Pass if all words of the source match; the first that does not leads past the end."""
    code = _return(PASS)
    for position, word in reversed(words):
        compare = _encode(_JUMP_NOT_EQUAL32, offset=len(code), value=word)
        code = [_load(_IPV6_SOURCE + 4 * position), compare, *code]
    return code


def _load(offset: int) -> bytes:
    """A word of the packet, in the host's byte order."""
    return _encode(_LOAD_PACKET, value=_NETWORK_HEADER + offset)


def _return(verdict: int) -> list[bytes]:
    return [_encode(_MOVE, target=_RESULT, value=verdict), _encode(_EXIT)]


def _encode(operation: int, *, target: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    signed = value - (1 << 32) if value >= 1 << 31 else value
    return _INSTRUCTION.pack(operation, target | source << 4, offset, signed)
