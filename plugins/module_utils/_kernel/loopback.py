# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import fcntl
import socket
import struct

from .errors import KernelError

_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
# struct ifreq of netdevice(7): a name of 16 bytes, and a union of 24 that holds the flags here.
_IFREQ = "16sh22x"


def bring_up() -> None:
    """Switch the loopback interface of our network namespace on: a new one is born with it switched off."""
    request = struct.pack(_IFREQ, b"lo", _IFF_UP)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
            fcntl.ioctl(control, _SIOCSIFFLAGS, request)
    except OSError as error:
        raise KernelError.from_os_error("bring up", "lo", error) from error
