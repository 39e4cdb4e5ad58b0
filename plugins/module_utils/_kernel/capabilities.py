# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from . import libc
from .errors import KernelError

# In the order of their numbers (include/uapi/linux/capability.h), without the CAP_ that all of them share.
_NAMES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE"
    " NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN"
    " SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE"
    " MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()
_NUMBERS = {name: number for number, name in enumerate(_NAMES)}

_HIGHEST_POSSIBLE = 63
_PR_CAPBSET_DROP = 24
_PR_GET_SECUREBITS, _PR_SET_SECUREBITS = 27, 28
# Flags of include/uapi/linux/securebits.h; the bit above each locks it.
_SECUREBITS = {"noroot": 1 << 0, "no_setuid_fixup": 1 << 2, "no_cap_ambient_raise": 1 << 6}
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522


class CapabilitySets(NamedTuple):
    """The five capability sets of a process (capabilities(7)), as capability numbers."""

    inheritable: frozenset[int]
    permitted: frozenset[int]
    effective: frozenset[int]
    bounding: frozenset[int]
    ambient: frozenset[int]


def number_of(name: str) -> int:
    """Number of a capability: ``CHOWN``, ``cap_chown``, or a plain number for one that is newer than this release.

    Raises KernelError EINVAL for what is neither.
    """
    bare = name.upper()
    if bare.startswith("CAP_"):
        bare = bare[len("CAP_") :]
    if bare in _NUMBERS:
        return _NUMBERS[bare]
    if bare.isascii() and bare.isdigit() and int(bare) <= _HIGHEST_POSSIBLE:
        return int(bare)
    raise KernelError("look up capability", name, errno.EINVAL)


def name_of(number: int) -> str:
    """``CHOWN`` for 0; the number itself for a capability that is newer than this release."""
    return _NAMES[number] if number < len(_NAMES) else str(number)


def drop_bounding(keep: Collection[int]) -> None:
    """Take every capability but ``keep`` out of the bounding set: no exec gives it back. Needs CAP_SETPCAP.

    Asks the kernel where its capabilities end instead of reading /proc, which a jail may not have: one that a newer
    kernel brings is dropped as well.
    """
    for number in range(_HIGHEST_POSSIBLE + 1):
        if number in keep:
            continue
        try:
            _prctl("drop from the bounding set", _PR_CAPBSET_DROP, number)
        except KernelError as error:
            if error.errno == errno.EINVAL:
                return
            raise


def set_capabilities(
    *, permitted: Collection[int], effective: Collection[int], inheritable: Collection[int] = ()
) -> None:
    """Set our own three sets by capset(2); KernelError EPERM for what is not permitted already."""
    masks = (_mask(effective), _mask(permitted), _mask(inheritable))
    words = [word for shift in (0, 32) for word in (mask >> shift & 0xFFFFFFFF for mask in masks)]
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    data = ctypes.create_string_buffer(struct.pack("=6I", *words))
    libc.call("capset", "own capabilities", "capset", header, data)


def own_permitted() -> frozenset[int]:
    """Our own permitted set by capget(2), wherever we are: /proc may be another pid namespace's."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    data = ctypes.create_string_buffer(24)
    libc.call("capget", "own capabilities", "capget", header, data)
    words = struct.unpack("=6I", data.raw)
    return _members(words[1] | words[4] << 32)


def clear_ambient() -> None:
    """Empty the ambient set, so that an exec of a user other than root starts without capabilities."""
    _prctl("clear the ambient set", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)


def set_securebits(bits: int) -> None:
    """Set the securebits flags of capabilities(7). Needs CAP_SETPCAP."""
    _prctl(f"set securebits {bits:#x}", _PR_SET_SECUREBITS, bits)


def securebits_of(names: Iterable[str]) -> int:
    """The flags of these names (``noroot``), each with the bit beside it that locks it."""
    bits = 0
    for name in names:
        bits |= _SECUREBITS[name] | _SECUREBITS[name] << 1
    return bits


def read_securebits() -> list[str]:
    """Names of our own securebits flags, with ``locked`` behind those that are; the kernel tells nobody else's."""
    zero = ctypes.c_ulong(0)
    bits = libc.call("prctl", "own securebits", "prctl", _PR_GET_SECUREBITS, zero, zero, zero, zero)
    flags = {**_SECUREBITS, "keep_caps": 1 << 4}
    return [f"{name} locked" if bits & flag << 1 else name for name, flag in flags.items() if bits & flag]


def read_sets(pid: int) -> CapabilitySets:
    """The sets of any process from /proc/PID/status; KernelError ENOENT or ESRCH when it is gone."""
    path = f"/proc/{pid}/status"
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return sets_in(dict(line.split(":", 1) for line in file if line.startswith("Cap")))
    except OSError as error:
        raise KernelError.from_os_error("read", path, error) from error


def sets_in(fields: Mapping[str, str]) -> CapabilitySets:
    """The sets in the fields of a /proc/PID/status that has been read already."""
    return CapabilitySets(
        **{
            name: _members(int(fields[field], 16))
            for name, field in (
                ("inheritable", "CapInh"),
                ("permitted", "CapPrm"),
                ("effective", "CapEff"),
                ("bounding", "CapBnd"),
                ("ambient", "CapAmb"),
            )
        }
    )


def _prctl(what: str, option: int, value: int) -> None:
    # The unused arguments must be zero in all 64 bits (PR_CAP_AMBIENT checks them), and prctl(2) is variadic.
    zero = ctypes.c_ulong(0)
    libc.call("prctl", what, "prctl", option, ctypes.c_ulong(value), zero, zero, zero)


def _mask(numbers: Collection[int]) -> int:
    return sum(1 << number for number in set(numbers))


def _members(mask: int) -> frozenset[int]:
    return frozenset(number for number in range(_HIGHEST_POSSIBLE + 1) if mask >> number & 1)
