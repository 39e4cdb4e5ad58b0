# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from .errors import KernelError
from .files import read_text

_ROOT = "/proc/sys"


def read(name: str) -> str | None:
    """Value of a kernel parameter, ``net/ipv4/ip_forward`` say; None where this kernel has no such parameter.

    Those under ``net/`` belong to the network namespace that the caller is in, whichever procfs is mounted.
    """
    text = read_text(f"{_ROOT}/{name}")
    return None if text is None else text.strip()


def write(name: str, value: str) -> None:
    """Set a kernel parameter; KernelError ENOENT where this kernel has no such parameter."""
    try:
        with open(f"{_ROOT}/{name}", "w", encoding="ascii") as file:
            file.write(value)
    except OSError as error:
        raise KernelError.from_os_error("write", f"{_ROOT}/{name}", error) from error
