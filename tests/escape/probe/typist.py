# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Types into every terminal that it can reach: a command for whoever reads there next (TIOCSTI, ioctl_tty(2))."""

from __future__ import annotations

import contextlib
import fcntl
import os

TYPED = b"typed-by-the-jail\n"

reached = 0
terminals = [0, 1, 2]
with contextlib.suppress(OSError):
    terminals.append(os.open("/dev/tty", os.O_RDWR))
for fd in terminals:
    for byte in TYPED:
        with contextlib.suppress(OSError):
            fcntl.ioctl(fd, 0x5412, bytes([byte]))
            reached += 1
print(f"typed {reached}", flush=True)
