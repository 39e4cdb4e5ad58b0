# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Take messages of a jail without what may come with them.

Whoever writes to a unix socket can send descriptors along (SCM_RIGHTS), and may have closed his own by then. Who takes
the message, wanting them or not, is then the one to close them: that waits as long as the sender has said for a
connection whose peer does not answer (SO_LINGER), and for a file of a terabyte that has no name any more to be given
back. A supervisor that waits does so for all jails.
"""

from __future__ import annotations

import os
import signal
import socket

from ..._kernel import pidfd, processes

# Linux 6.16; the module socket has no name for it.
_PASS_RIGHTS = 83


def refuses_descriptors(receiver: socket.socket) -> bool:
    """Have the kernel refuse, to their sender, messages with descriptors (EPERM); False where it cannot."""
    try:
        receiver.setsockopt(socket.SOL_SOCKET, _PASS_RIGHTS, 0)
    except OSError:
        return False
    return True


class Taker:
    """A child that does nothing but take the messages of a socket, and pass their bytes on.

    ``receiver`` is its alone from then on; ``passed_on`` is where they come out. It ends with us.
    """

    def __init__(self, receiver: socket.socket, longest: int) -> None:
        self.passed_on, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        parent, self.pid = os.getpid(), os.fork()
        if self.pid == 0:
            _take(receiver, theirs, longest, parent)
        self._pidfd = pidfd.open_pidfd(self.pid)
        receiver.close()
        theirs.close()
        self.passed_on.setblocking(False)

    def close(self) -> None:
        """End it. Nobody waits for that: to close what it was sent may take it as long as its sender likes."""
        self.passed_on.close()
        pidfd.send_signal(self._pidfd, signal.SIGKILL)
        os.close(self._pidfd)


def _take(receiver: socket.socket, passed_on: socket.socket, longest: int, parent: int) -> None:
    """Child: it never returns."""
    try:
        processes.die_with(parent)
        signal.set_wakeup_fd(-1)
        processes.reset_signals()
        processes.close_descriptors({receiver.fileno(), passed_on.fileno()})
        receiver.setblocking(True)
        while True:
            passed_on.send(receiver.recv(longest))
    finally:
        os._exit(0)
