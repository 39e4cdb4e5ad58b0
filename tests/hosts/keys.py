# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys for ssh: of who manages a set, and of its hosts."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make(path: Path, comment: str) -> None:
    """Write a new pair. Whoever makes keys for a set has ssh-keygen hold its lock: it may outlive us."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(command, check=True, close_fds=False)
