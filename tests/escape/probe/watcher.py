# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hostile watcher: tries for some seconds to get hold of every process that comes into its sight.

    python3 watcher.py SECONDS

Prints what it got of processes that run a program from outside of its own root file system, as a JSON list. The init
that the engine brings is such a program too, but it is in here to stay: pid 1 is left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time

from syscalls import libc

_PTRACE_SEIZE, _PTRACE_DETACH = 0x4206, 17
_FILES = ("exe", "mem", "environ", "maps", "auxv", "root", "cwd", "fd", "ns/mnt")


class Watcher:
    def __init__(self) -> None:
        self.grabbed: set[str] = set()
        self.seen: set[str] = set()
        self.own = {"1", str(os.getpid())}
        self.root = os.stat("/").st_dev

    def watch(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for pid in os.listdir("/proc"):
                if pid.isdigit() and pid not in self.own:
                    self.seen.add(pid)
                    self.grab(pid)

    def grab(self, pid: str) -> None:
        """Everything that we get while the process is foreign before and after: it may turn into ours on the way."""
        got = {what for what in _FILES if self.opens(f"/proc/{pid}/{what}")}
        got |= {f"fd {target}" for target in self.descriptors(pid)}
        if self.seize(pid):
            got.add("ptrace")
        if got and self.is_foreign(pid):
            self.grabbed |= got

    def is_foreign(self, pid: str) -> bool:
        with contextlib.suppress(OSError):
            return os.stat(f"/proc/{pid}/exe").st_dev != self.root
        return False

    @staticmethod
    def opens(path: str) -> bool:
        try:
            os.close(os.open(path, os.O_RDONLY))
        except OSError:
            return False
        return True

    @staticmethod
    def descriptors(pid: str) -> list[str]:
        with contextlib.suppress(OSError):
            return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        return []

    @staticmethod
    def seize(pid: str) -> bool:
        if libc.ptrace(_PTRACE_SEIZE, int(pid), None, None) != 0:
            return False
        libc.ptrace(_PTRACE_DETACH, int(pid), None, None)
        with contextlib.suppress(OSError):
            os.kill(int(pid), signal.SIGCONT)
        return True


if __name__ == "__main__":
    watcher = Watcher()
    print("watching", flush=True)
    watcher.watch(float(sys.argv[1]))
    print(json.dumps({"grabbed": sorted(watcher.grabbed), "seen": len(watcher.seen)}))
