# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import json
import os
import select
import signal
from typing import Any, NamedTuple

from ..._kernel.errors import KernelError
from ..errors import EngineError


class Report(NamedTuple):
    """One message of a starting jail to its launcher: the pid of its init, that it is ready, or why it is not."""

    pid: int = 0
    ready: bool = False
    error: str = ""
    path: str = ""
    remedy: str = ""


class Child:
    """The starting jail's end of the control socket."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def say(self, **fields: Any) -> None:
        """Send a Report; a launcher that is gone is noticed at the next ``wait_for_go``."""
        try:
            os.write(self.fd, json.dumps(fields).encode())
        except OSError:
            return

    def fail(self, error: Exception) -> None:
        """Report a failure."""
        if isinstance(error, EngineError):
            self.say(error=error.message, path=error.path, remedy=error.remedy)
        elif isinstance(error, KernelError):
            self.say(error=str(error))
        else:
            self.say(error=f"{type(error).__name__}: {error}")

    def leave_if_alone(self) -> None:
        """End ourselves when nobody has the other end any more: who asks for the signal of a death too late gets none.

        Whoever dies closes what it has before its children are told (exit_notify).
        """
        poll = select.poll()
        poll.register(self.fd, 0)
        if poll.poll(0):
            os._exit(128 + signal.SIGKILL)

    def wait_for_go(self) -> bool:
        """Wait for the launcher's permission to execute the command; False when the launcher is gone."""
        try:
            return os.read(self.fd, 16) == b"go"
        except OSError:
            return False


def is_heard_of(fd: int, seconds: float) -> bool:
    """Whether ``receive`` has something to tell, within so many seconds."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def receive(fd: int) -> Report | None:
    """Next Report; None when the other end is closed, by its death or by a successful execve(2)."""
    try:
        message = os.read(fd, 65536)
    except ConnectionResetError:
        return None
    return Report(**json.loads(message)) if message else None


def send_go(fd: int) -> None:
    """Let the jail's init run its program."""
    try:
        os.write(fd, b"go")
    except OSError as error:
        raise KernelError.from_os_error("release", "the jail's init", error) from error
