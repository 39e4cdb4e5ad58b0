# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import fcntl
import os
import stat
import struct
import termios

from .errors import KernelError

_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441
_PTMX = "/dev/pts/ptmx"


def open_terminal() -> tuple[int, int]:
    """A new pseudo-terminal of the devpts instance at /dev/pts: its master and its slave descriptor.

    The slave is opened through the master (TIOCGPTPEER, ioctl_tty(2), Linux 4.13), never by a path that somebody else
    could have replaced (CVE-2025-52565).
    """
    try:
        master = os.open(_PTMX, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        status = os.fstat(master)
        if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(5, 2):
            raise KernelError("open", f"{_PTMX}, which is not a terminal multiplexer", 25)
        fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
        slave = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        raise KernelError.from_os_error("open terminal", _PTMX, error) from error
    return master, slave


def make_controlling(slave: int) -> None:
    """Start a session whose controlling terminal this is."""
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


def copy_size(source: int, master: int) -> None:
    """Give a pseudo-terminal the size of another terminal; one that has none is left as it is."""
    try:
        size = fcntl.ioctl(source, termios.TIOCGWINSZ, bytes(8))
        fcntl.ioctl(master, termios.TIOCSWINSZ, size)
    except OSError:
        return


class Raw:
    """A terminal that passes every key on, for the length of a block; other descriptors are left alone."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._before: list[object] | None = None

    def __enter__(self) -> Raw:
        import tty

        if os.isatty(self.fd):
            self._before = termios.tcgetattr(self.fd)
            # What was typed ahead stays: the default would throw it away.
            tty.setraw(self.fd, termios.TCSADRAIN)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            termios.tcsetattr(self.fd, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]
