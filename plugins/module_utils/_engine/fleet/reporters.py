# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import signal
from collections.abc import Callable

from ..._kernel import processes


class Reporter:
    """A forked process that does a work, knowing all that its parent knows, and ends with it.

    It writes to a pipe, whose other end is ``reader``.
    """

    def __init__(self, work: Callable[[int], None]) -> None:
        parent = os.getpid()
        self.reader, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                processes.die_with(parent)
                work(writer)
            finally:
                os._exit(0)
        os.close(writer)

    def end(self) -> None:
        """See it go, be it by force."""
        os.close(self.reader)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
