# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the host sees of the processes of a service."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ansible_collections.hosting.jails.tests.integration.jails import Jail


def of(jail: Jail, program: str) -> dict[int, dict[str, str]]:
    """Processes of a jail that run a program: pid on the host, and /proc/PID/status."""
    found = {}
    for pid in jail.cgroup.processes():
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            status = {key: value.strip() for key, _unused, value in (line.partition(":") for line in lines)}
            if status["Name"] == program:
                found[pid] = status
    return found


def users_of(jail: Jail, program: str) -> set[int]:
    """The users of the jail, by number, that run a program."""
    base = int(jail.describe()["uid_base"])
    return {int(status["Uid"].split()[0]) - base for status in of(jail, program).values()}


def capabilities_of(jail: Jail) -> set[int]:
    """The effective and permitted capability sets of all processes of a jail, as numbers."""
    sets = set()
    for pid in jail.cgroup.processes():
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith(("CapEff:", "CapPrm:", "CapBnd:")):
                    sets.add(int(line.split()[1], 16))
    return sets
