# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a socket in a held control group meets, played in the simulator: calls with addresses, answers with addresses.

Each function returns the address in the end, or the name of the errno that the caller gets.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._kernel import address_programs
from ansible_collections.hosting.jails.plugins.module_utils._kernel.address_program import Held
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._kernel import ebpf_simulator as simulator

_IPV4_FIELD, _IPV6_FIELDS = 4, (8, 12, 16, 20)
_SOURCE4_FIELD, _SOURCE6_FIELDS = 40, (44, 48, 52, 56)
# Which fields of its context each hook may write (sock_addr_is_valid_access in net/core/filter.c).
_WRITABLE: dict[str, tuple[int, ...]] = {
    "bind4": (_IPV4_FIELD,),
    "bind6": _IPV6_FIELDS,
    "connect4": (_IPV4_FIELD,),
    "connect6": _IPV6_FIELDS,
    "sendmsg4": (_IPV4_FIELD, _SOURCE4_FIELD),
    "sendmsg6": (*_IPV6_FIELDS, *_SOURCE6_FIELDS),
    "getsockname4": (_IPV4_FIELD,),
    "getsockname6": _IPV6_FIELDS,
}
_ETH_P = {4: 0x0800, 6: 0x86DD}


def _words(address: str) -> tuple[int, ...]:
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    return struct.unpack(f"={len(packed) // 4}I", packed)


def _text(words: Any) -> str:
    words = [words] if isinstance(words, int) else list(words)
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))


def _refusal(outcome: simulator.Outcome) -> str:
    return errno.errorcode[outcome.errno]


def _family(address: str) -> int:
    return 6 if ":" in address else 4


def _address_context(address: str, *, port: int = 0, source: str = "") -> simulator.SocketAddress:
    context = simulator.SocketAddress(user_port=socket.htons(port))
    if ":" in address:
        context.user_ip6[:] = _words(address)
    else:
        context.user_ip4 = _words(address)[0]
    if ":" in source:
        context.msg_src_ip6[:] = _words(source)
    elif source:
        context.msg_src_ip4 = _words(source)[0]
    return context


def _run(
    held: Held, hook: str, context: simulator.SocketAddress, *, sock: simulator.Socket | None = None, binds: int = 0
) -> tuple[simulator.Outcome, simulator.SocketAddress]:
    region = simulator.Region("context", bytearray(context), _WRITABLE[hook])
    code = address_programs.BUILDERS[hook](held)
    outcome = simulator.Machine(region, sock, binds=binds).run(code)
    return outcome, simulator.SocketAddress.from_buffer_copy(region.data)


def _address(context: simulator.SocketAddress, family: int) -> str:
    return _text(context.user_ip4 if family == 4 else context.user_ip6)


def a_socket(source: str = "") -> simulator.Socket:
    """A socket that is bound to an address, or to none."""
    made = simulator.Socket()
    if ":" in source:
        made.src_ip6[:] = _words(source)
        made.src_ip4 = made.src_ip6[3] if source.startswith("::ffff:") else _words("127.0.0.6")[0]
    elif source:
        made.src_ip4 = _words(source)[0]
    return made


def bind(held: Held, address: str, port: int = 0) -> str:
    """What bind(2) to an address binds to."""
    outcome, context = _run(held, f"bind{_family(address)}", _address_context(address, port=port))
    return _address(context, _family(address)) if outcome.verdict & 1 else _refusal(outcome)


def bind_verdict(held: Held, address: str) -> int:
    return _run(held, f"bind{_family(address)}", _address_context(address))[0].verdict


def bound(held: Held, address: str) -> str:
    """Whether a socket may stay bound to an address: it, or the errno."""
    region = simulator.Region("context", bytearray(a_socket(address)))
    outcome = simulator.Machine(region).run(address_programs.BUILDERS[f"post_bind{_family(address)}"](held))
    return address if outcome.verdict == 1 else _refusal(outcome)


def connect(held: Held, address: str, *, source: str = "", binds: int = 0) -> tuple[str, str]:
    """Where connect(2) leads, and from which address; ``binds`` is the kernel's answer to the binding of that."""
    outcome, context = _run(
        held, f"connect{_family(address)}", _address_context(address, port=80), sock=a_socket(source), binds=binds
    )
    if outcome.verdict != 1:
        return _refusal(outcome), ""
    return _address(context, _family(address)), outcome.bound or source


def send(held: Held, address: str, *, source: str = "") -> tuple[str, str]:
    """Where sendto(2) of a socket that is not connected leads, and from which address."""
    family = _family(address)
    given = source or ("::" if family == 6 else "0.0.0.0")
    outcome, context = _run(held, f"sendmsg{family}", _address_context(address, port=53, source=given))
    if outcome.verdict != 1:
        return _refusal(outcome), ""
    return _address(context, family), _text(context.msg_src_ip4 if family == 4 else context.msg_src_ip6)


def getsockname(held: Held, address: str, port: int) -> str:
    """What getsockname(2) says of a socket that the kernel has bound."""
    outcome, context = _run(held, f"getsockname{_family(address)}", _address_context(address, port=port))
    assert outcome.verdict == 1, "this hook may refuse nothing"
    return _address(context, _family(address))


def create(held: Held, family: int, kind: int, protocol: int = 0) -> str:
    """Empty when socket(2) makes one."""
    context = simulator.Socket(family=family, type=kind, protocol=protocol)
    region = simulator.Region("context", bytearray(context))
    outcome = simulator.Machine(region).run(address_programs.sock_create(held))
    return "" if outcome.verdict == 1 else _refusal(outcome)


def passes(held: Held, hook: str, *, source: str, destination: str, protocol: int = 0, length: int = 60) -> bool:
    """Whether a packet comes through; ``hook`` is ingress or egress."""
    family = _family(source)
    context = simulator.Packet(protocol=socket.htons(protocol or _ETH_P[family]))
    machine = simulator.Machine(
        simulator.Region("context", bytearray(context)), packet=packet(source, destination)[:length]
    )
    verdict = machine.run(address_programs.BUILDERS[hook](held)).verdict
    assert verdict in (0, 1)
    return verdict == 1


def packet(source: str, destination: str) -> bytes:
    """A packet's headers, from that of the network on."""
    start = 12 if _family(source) == 4 else 8
    family = socket.AF_INET if _family(source) == 4 else socket.AF_INET6
    ends = b"".join(socket.inet_pton(family, one) for one in (source, destination))
    return (bytes(start) + ends).ljust(60, b"\0")
