# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import errno as _errno
import os


class KernelError(Exception):
    """The kernel refused an operation: what was tried, on which object, and the errno."""

    def __init__(self, operation: str, target: str, errno: int) -> None:
        super().__init__(operation, target, errno)
        self.operation = operation
        self.target = target
        self.errno = errno

    @classmethod
    def from_os_error(cls, operation: str, target: str, error: OSError) -> KernelError:
        """Keep the errno of an OSError; one without an errno (a short read, say) counts as EIO."""
        return cls(operation, target, error.errno or _errno.EIO)

    def __str__(self) -> str:
        name = _errno.errorcode.get(self.errno, str(self.errno))
        subject = f"{self.operation} {self.target}".strip()
        return f"{subject}: {name} ({os.strerror(self.errno)})"
