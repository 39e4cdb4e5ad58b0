# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An interpreter for eBPF programs on the hooks of a control group: proves a program without a kernel.

Contexts are bytes as the kernel lays them out (struct bpf_sock_addr, bpf_sock and __sk_buff of linux/bpf.h), so that
one that was seen in a kernel can be played back. What the verifier would refuse raises Refused: uninitialised registers
and stack, access outside of a context, a write to a field that a hook may not write.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

BIND, SET_RETURN_VALUE, LOAD_PACKET = 64, 187, 26
_STACK_BYTES = 512
_MOST_STEPS = 1_000_000
_INSTRUCTION = struct.Struct("=BBhi")
# Size of what a load or store moves, by the operation's bits.
_SIZES = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}


class Refused(Exception):
    """The verifier would not have let this program run."""


class SocketAddress(ctypes.Structure):
    """struct bpf_sock_addr."""

    _fields_ = (
        ("user_family", ctypes.c_uint32),
        ("user_ip4", ctypes.c_uint32),
        ("user_ip6", ctypes.c_uint32 * 4),
        ("user_port", ctypes.c_uint32),
        ("family", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("protocol", ctypes.c_uint32),
        ("msg_src_ip4", ctypes.c_uint32),
        ("msg_src_ip6", ctypes.c_uint32 * 4),
        ("sk", ctypes.c_uint64),
    )


class Socket(ctypes.Structure):
    """struct bpf_sock."""

    _fields_ = (
        ("bound_dev_if", ctypes.c_uint32),
        ("family", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("protocol", ctypes.c_uint32),
        ("mark", ctypes.c_uint32),
        ("priority", ctypes.c_uint32),
        ("src_ip4", ctypes.c_uint32),
        ("src_ip6", ctypes.c_uint32 * 4),
        ("src_port", ctypes.c_uint32),
    )


class Packet(ctypes.Structure):
    """The beginning of struct __sk_buff."""

    _fields_ = (
        ("len", ctypes.c_uint32),
        ("pkt_type", ctypes.c_uint32),
        ("mark", ctypes.c_uint32),
        ("queue_mapping", ctypes.c_uint32),
        ("protocol", ctypes.c_uint32),
    )


@dataclass
class Region:
    """Memory that a pointer leads to; ``writable`` are the offsets of its fields that may be changed."""

    name: str
    data: bytearray
    writable: Collection[int] = ()
    written: set[int] | None = None


@dataclass(frozen=True)
class Pointer:
    region: Region
    offset: int = 0


@dataclass
class Outcome:
    """What a program came to: its verdict, the errno that it chose, and what it bound the socket to."""

    verdict: int = 0
    errno: int = errno.EPERM
    bound: str = ""
    steps: int = 0


@dataclass
class Machine:
    """One run of a program on a context.

    ``socket`` is what the context's pointer leads to, ``packet`` what follows from its network header on, ``binds`` the
    kernel's answer to bpf_bind().
    """

    context: Region
    socket: Socket | None = None
    packet: bytes = b""
    binds: int = 0
    outcome: Outcome = field(default_factory=Outcome)
    registers: list[Any] = field(default_factory=lambda: [None] * 11)

    def run(self, code: bytes) -> Outcome:
        """Run a program to its end."""
        instructions = list(_INSTRUCTION.iter_unpack(code))
        stack = Region("stack", bytearray(_STACK_BYTES), range(_STACK_BYTES), set())
        self.registers[1], self.registers[10] = Pointer(self.context), Pointer(stack, _STACK_BYTES)
        position = 0
        while self.outcome.steps < _MOST_STEPS:
            operation, registers, offset, value = instructions[position]
            target, source = registers & 0xF, registers >> 4
            position += 1
            self.outcome.steps += 1
            if operation == 0x95:
                self.outcome.verdict = self._number(0)
                return self.outcome
            if operation == 0x85:
                self._call(value)
            elif operation & 0x07 in (0x01, 0x03):
                self._move_memory(operation, target, source, offset)
            elif operation & 0x07 in (0x05, 0x06):
                position += offset if self._jumps(operation, target, value) else 0
            else:
                self._calculate(operation, target, source, value)
        raise Refused("the program does not end")

    def _value(self, register: int) -> Any:
        value = self.registers[register]
        if value is None:
            raise Refused(f"R{register} is read before it has a value")
        return value

    def _number(self, register: int) -> int:
        value = self._value(register)
        if isinstance(value, Pointer):
            raise Refused(f"R{register} is a pointer and no number")
        return int(value)

    def _calculate(self, operation: int, target: int, source: int, value: int) -> None:
        if operation == 0xB7:
            self.registers[target] = value & 0xFFFFFFFFFFFFFFFF
        elif operation == 0xB4:
            self.registers[target] = value & 0xFFFFFFFF
        elif operation == 0xBF:
            self.registers[target] = self._value(source)
        elif operation == 0x54:
            self.registers[target] = self._number(target) & value & 0xFFFFFFFF
        elif operation == 0x07:
            self.registers[target] = _added(self._value(target), value)
        else:
            raise Refused(f"operation {operation:#x}")

    def _jumps(self, operation: int, target: int, value: int) -> bool:
        if operation == 0x05:
            return True
        if operation == 0x15:
            return self._value(target) == value
        number = self._number(target) & 0xFFFFFFFF
        return {0x16: number == value & 0xFFFFFFFF, 0x56: number != value & 0xFFFFFFFF}[operation]

    def _move_memory(self, operation: int, target: int, source: int, offset: int) -> None:
        size = _SIZES[operation & 0x18]
        loads = operation & 0x07 == 0x01
        pointer = self._value(source if loads else target)
        if not isinstance(pointer, Pointer):
            raise Refused("a number is no address")
        place = pointer.offset + offset
        region = pointer.region
        if not 0 <= place <= len(region.data) - size or place % size:
            raise Refused(f"{size} bytes at {place} of the {region.name}")
        if loads:
            self.registers[target] = self._loaded(region, place, size)
            return
        if place not in region.writable:
            raise Refused(f"{place} of the {region.name} is not to be written")
        region.data[place : place + size] = (self._number(source) & (1 << 8 * size) - 1).to_bytes(size, "little")
        if region.written is not None:
            region.written.update(range(place, place + size))

    def _loaded(self, region: Region, place: int, size: int) -> Any:
        if region.written is not None and not region.written.issuperset(range(place, place + size)):
            raise Refused(f"{place} of the {region.name} is read before it was written")
        if region is self.context and size == 8:
            return Pointer(Region("socket", bytearray(self.socket))) if self.socket else 0
        return int.from_bytes(region.data[place : place + size], "little")

    def _call(self, helper: int) -> None:
        arguments = self.registers[1:6]
        if helper == BIND:
            result = self._bind(arguments)
        elif helper == SET_RETURN_VALUE:
            self.outcome.errno = -ctypes.c_int32(arguments[0]).value
            result = 0
        elif helper == LOAD_PACKET:
            result = self._load_packet(arguments)
        else:
            raise Refused(f"helper {helper}")
        self.registers[0:6] = [result, None, None, None, None, None]

    def _bind(self, arguments: list[Any]) -> int:
        context, address, length = arguments[:3]
        if context != Pointer(self.context):
            raise Refused("bpf_bind() of something else than the context")
        data = _read(address, length)
        (family,) = struct.unpack_from("=H", data)
        start, size = {socket.AF_INET: (4, 4), socket.AF_INET6: (8, 16)}[family]
        if length != {socket.AF_INET: 16, socket.AF_INET6: 28}[family] or any(data[2:4]):
            raise Refused("bpf_bind() to a port, or with a wrong length")
        self.outcome.bound = socket.inet_ntop(family, data[start : start + size])
        return self.binds & 0xFFFFFFFFFFFFFFFF

    def _load_packet(self, arguments: list[Any]) -> int:
        context, offset, target, length = arguments[:4]
        if context != Pointer(self.context):
            raise Refused("a packet of something else than the context")
        if offset + length > len(self.packet):
            return -errno.EFAULT & 0xFFFFFFFFFFFFFFFF
        region = target.region
        region.data[target.offset : target.offset + length] = self.packet[offset : offset + length]
        region.written.update(range(target.offset, target.offset + length))
        return 0


def _added(value: Any, number: int) -> Any:
    if isinstance(value, Pointer):
        return Pointer(value.region, value.offset + number)
    return value + number & 0xFFFFFFFFFFFFFFFF


def _read(pointer: Pointer, length: int) -> bytes:
    if pointer.region.written is not None:
        wanted = range(pointer.offset, pointer.offset + length)
        if not pointer.region.written.issuperset(wanted):
            raise Refused(f"{length} bytes at {pointer.offset} of the {pointer.region.name} were not all written")
    return bytes(pointer.region.data[pointer.offset : pointer.offset + length])
