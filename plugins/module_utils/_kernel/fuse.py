# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""File systems that processes serve (fuse(4)). Who uses one waits for its server, and cannot be killed meanwhile."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from . import mounts
from .errors import KernelError
from .files import closing

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def abort_connections(users: range) -> int:
    """End, as if its server had died, every FUSE file system that one of these users of the host has mounted.

    How many; none where the kernel has no FUSE. Whoever waits for an answer gets an error instead.
    """
    aborted = 0
    for directory in _connections():
        with contextlib.suppress(OSError), closing(directory):
            if os.fstat(directory).st_uid in users:
                with closing(os.open("abort", os.O_WRONLY | os.O_CLOEXEC, dir_fd=directory)) as switch:
                    os.write(switch, b"1")
                aborted += 1
    return aborted


def _connections() -> Iterator[int]:
    """Descriptors of their directories, on a mount of our own: the host may have none (fuse.rst, "control filesystem").

    Whoever takes one closes it.
    """
    try:
        mount = mounts.new_filesystem("fusectl", ())
    except KernelError:
        return
    with closing(mount), closing(os.open(".", _DIRECTORY, dir_fd=mount)) as top:
        for name in os.listdir(top):
            with contextlib.suppress(OSError):
                yield os.open(name, _DIRECTORY, dir_fd=top)
