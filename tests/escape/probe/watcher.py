# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hostile watcher: tries to get hold of every process that comes into its sight.

    python3 watcher.py

It says that it is there, and goes on until its input ends. Then it prints, as JSON, what it got of processes that run a
program from outside of its own root file system. The init that the engine brings is such a program too, but it is in
here to stay: pid 1 is left out.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select

libc = ctypes.CDLL(None)

_PTRACE_SEIZE, _PTRACE_INTERRUPT, _PTRACE_DETACH = 0x4206, 0x4207, 17
_FILES = ("exe", "mem", "environ", "maps", "auxv", "root", "cwd", "fd", "ns/mnt")


class Watcher:
    def __init__(self) -> None:
        self.grabbed: set[str] = set()
        self.seen: set[str] = set()
        self.own = {"1", str(os.getpid())}
        self.root = os.stat("/").st_dev

    def watch(self) -> None:
        while not select.select([0], [], [], 0)[0]:
            for pid in os.listdir("/proc"):
                if pid.isdigit() and pid not in self.own:
                    self.seen.add(pid)
                    self.grab(pid)
            self.let_go()

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
    def let_go() -> None:
        """Whom we trace waits for us when it stops or ends, and its parent with it: nobody may notice us."""
        with contextlib.suppress(ChildProcessError):
            while (waited := os.waitpid(-1, os.WNOHANG))[0]:
                libc.ptrace(_PTRACE_DETACH, waited[0], None, None)

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
        libc.ptrace(_PTRACE_INTERRUPT, int(pid), None, None)
        return True


if __name__ == "__main__":
    watcher = Watcher()
    print("watching", flush=True)
    watcher.watch()
    print(json.dumps({"grabbed": sorted(watcher.grabbed), "seen": len(watcher.seen)}))
