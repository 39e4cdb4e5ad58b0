# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Device nodes of a jail: the profiles that there are, and what may not be given away without a word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Device(NamedTuple):
    """A device that a jail has: its node's path there, its numbers, and what may be done with it."""

    path: str
    major: int
    minor: int
    block: bool = False
    access: str = "rw"
    mode: int = 0o666


NULL = Device("/dev/null", 1, 3)
# null(4), full(4), random(4) and tty(4).
_MINIMAL = (
    NULL,
    Device("/dev/zero", 1, 5),
    Device("/dev/full", 1, 7),
    Device("/dev/random", 1, 8),
    Device("/dev/urandom", 1, 9),
    Device("/dev/tty", 5, 0),
)
DEFAULT = "minimal"
# The start itself takes /dev/null: there is no jail without it.
PROFILES: dict[str, tuple[Device, ...]] = {DEFAULT: _MINIMAL, "none": (NULL,)}
# The multiplexer and its terminals, which are those of the jail's own devpts (pty(7)); in no profile but the default.
TERMINALS: tuple[tuple[int, int | None], ...] = ((5, 2), (136, None))
# Made by the engine in every jail, by whatever profile.
RESERVED = frozenset(f"/dev/{name}" for name in "fd stdin stdout stderr ptmx pts shm mqueue console log".split())

_HARDWARE = "it reaches the host's hardware"
_AROUND = "it hears and sees what is around the host"
_OTHERS = "it reaches what others on the host type and see"
# Numbers of Documentation/admin-guide/devices.txt; None for all of a driver.
_DANGEROUS: dict[tuple[int, int | None], str] = {
    (1, 1): "it is the host's memory",
    (1, 2): "it is the host's memory",
    (1, 4): "it is the host's ports",
    (1, 11): "it is the log of the host's kernel",
    (4, None): _OTHERS,
    (5, 1): _OTHERS,
    (7, None): _OTHERS,
    (10, 130): "it restarts the host",
    (10, 144): _HARDWARE,
    (10, 196): _HARDWARE,
    (10, 223): _OTHERS,
    (10, 224): _HARDWARE,
    (10, 231): "it is the image of a suspended host",
    (10, 234): "it mounts the host's disks",
    (10, 235): "it mounts the host's disks",
    (10, 236): "it makes disks of the host's disks",
    (10, 237): "it makes disks of files",
    (13, None): _OTHERS,
    (21, None): "it reaches the host's disks",
    (29, None): _OTHERS,
    (81, None): _AROUND,
    (89, None): _HARDWARE,
    (116, None): _AROUND,
    (162, None): "it reaches the host's disks",
    (202, None): _HARDWARE,
}


def profile_of(entries: Sequence[Any]) -> str:
    """The profile of a canonical list of devices: that which it names, or the default one."""
    return next((entry for entry in entries if isinstance(entry, str)), DEFAULT)


def danger_of(device: Device) -> str:
    """What a jail could do to its host with a device, empty for nothing that is known."""
    if device.block:
        return "whoever writes to a disk owns what is on it, and a crafted file system crashes a host that mounts it"
    return _DANGEROUS.get((device.major, device.minor)) or _DANGEROUS.get((device.major, None), "")
