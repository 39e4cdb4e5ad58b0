# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import fcntl
import os

from .errors import KernelError
from .namespaces import identity

_NS_GET_USERNS = 0xB701


def owner(fd: int) -> int:
    """Identity of the user namespace whose root has power over a namespace (NS_GET_USERNS, ioctl_nsfs(2)).

    KernelError EPERM where that user namespace is not ours or below ours.
    """
    try:
        user = fcntl.ioctl(fd, _NS_GET_USERNS)
    except OSError as error:
        raise KernelError.from_os_error("find the owner of", "namespace", error) from error
    try:
        return identity(user)
    finally:
        os.close(user)


def own() -> int:
    """Identity of the user namespace that this process is in."""
    try:
        return os.stat("/proc/self/ns/user").st_ino
    except OSError as error:
        raise KernelError.from_os_error("read", "/proc/self/ns/user", error) from error
