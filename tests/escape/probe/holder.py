# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints without end, and has the pipe that it prints to locked meanwhile: splice(2) waits in there for its source."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
import time
from pathlib import Path

source, silent = socket.socketpair()
piece = b"x" * (4 << 20)
threading.Thread(target=lambda: os.writev(1, [piece] * 500), daemon=True).start()
time.sleep(0.05)
Path("/volume/held").touch()
ctypes.CDLL(None).splice(source.fileno(), None, 1, None, 4096, 0)
