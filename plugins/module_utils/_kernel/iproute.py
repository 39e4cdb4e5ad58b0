# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""pyroute2 (0.7.2 of Debian 12 up to 0.9.7): imported when a socket is opened, never before, as that takes 180 ms."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from typing import Any

from .errors import KernelError


def is_available() -> bool:
    """Whether this Python has pyroute2; looked up without importing it."""
    from importlib.util import find_spec

    _see_packages()
    try:
        return find_spec("pyroute2") is not None
    except ValueError:  # what find_spec() says of a module that was blocked
        return False


def load() -> None:
    """Import pyroute2 now, if it is there: for who forks processes that would each do it."""
    if is_available():
        import pyroute2  # noqa: F401


def _see_packages() -> None:
    """Look for packages where the distribution puts them; jailctl starts without (-S), for the runs that need none."""
    if sys.flags.no_site:
        import site

        site.addsitepackages(set(sys.path))


class Requests:
    """A pyroute2 socket into the network namespace that the caller is in when it opens it.

    Its own helpers for other namespaces start a process each, 10 ms a call. KernelError ENOPKG says that pyroute2 is
    not installed for this Python.
    """

    def __init__(self) -> None:
        _see_packages()
        try:
            from pyroute2 import IPRoute
            from pyroute2.netlink.exceptions import NetlinkError
        except ImportError as error:
            raise KernelError("import", "pyroute2", errno.ENOPKG) from error
        self._refusal: type[Exception] = NetlinkError
        self._socket: Any = _translated("open", "rtnetlink", NetlinkError, IPRoute)

    def close(self) -> None:
        self._socket.close()

    def send(self, operation: str, target: str, method: str, *arguments: Any, **options: Any) -> None:
        """Send one request and wait for the kernel's acknowledgement; KernelError with the kernel's errno."""
        _translated(operation, target, self._refusal, getattr(self._socket, method), *arguments, **options)


def _translated(
    operation: str, target: str, refusal: type[Exception], function: Callable[..., Any], *arguments: Any, **options: Any
) -> Any:
    try:
        return function(*arguments, **options)
    except refusal as error:
        raise KernelError(operation, target, int(getattr(error, "code", errno.EIO))) from error
    except OSError as error:
        raise KernelError.from_os_error(operation, target, error) from error
