# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from typing import NamedTuple

_LARGEST = 16384
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """What proc(5) tells of a process; memory in bytes, times in seconds.

    ``pids`` are its numbers from our pid namespace inwards (NSpid of proc_pid_status(5)), ``uid`` its effective user as
    we see it. ``command`` is empty for a kernel thread and a zombie, which have but a ``name``.
    """

    pids: tuple[int, ...]
    parent: int
    uid: int
    state: str
    name: str
    command: str
    cpu_seconds: float
    started_at: float
    virtual: int
    resident: int


def read_process(pid: int) -> Process | None:
    """A process, None when it is gone."""
    stat, told = _read(pid, "stat"), read_status(pid)
    if not stat or not told:
        return None
    head, _unused, rest = stat.rpartition(")")
    fields = rest.split()
    return Process(
        pids=tuple(int(number) for number in told.get("NSpid", str(pid)).split()),
        parent=int(fields[1]),
        uid=int(told["Uid"].split()[1]),
        state=fields[0],
        name=head.partition("(")[2],
        command=_read(pid, "cmdline").rstrip("\0").replace("\0", " "),
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS,
        started_at=int(fields[19]) / _TICKS,
        virtual=int(fields[20]),
        resident=int(fields[21]) * _PAGE,
    )


def read_status(pid: int) -> dict[str, str]:
    """The fields of proc_pid_status(5) by their names, none of them for a process that is gone.

    Only a line feed ends a line, and the kernel escapes it in a name; other characters that Python takes for the end of
    one are there as the process has written them.
    """
    return dict(line.split(":\t", 1) for line in _read(pid, "status").split("\n") if ":\t" in line)


def name_of(pid: int) -> str:
    """What a process calls itself, empty when it is gone."""
    return _read(pid, "comm").strip()


def read_sizes(pid: int) -> tuple[int, int] | None:
    """Virtual and resident memory of a process in bytes (proc_pid_statm(5)), None when it is gone."""
    fields = _read(pid, "statm").split()
    return (int(fields[0]) * _PAGE, int(fields[1]) * _PAGE) if len(fields) > 1 else None


def group_of(pid: int) -> str | None:
    """The version 2 control group of a process, as we see it from ours, None when the process is gone."""
    for line in _read(pid, "cgroup").splitlines():
        hierarchy, _unused, path = line.partition("::")
        if hierarchy == "0":
            return path
    return None


def uid_map(pid: int) -> tuple[tuple[int, int, int], ...]:
    """The ranges of user_namespaces(7) of a process's user namespace: first uid inside, first outside, how many."""
    rows = (line.split() for line in _read(pid, "uid_map").splitlines())
    return tuple((int(row[0]), int(row[1]), int(row[2])) for row in rows if len(row) == 3)


def _read(pid: int, name: str) -> str:
    """A file below /proc/PID; nothing for a process that is gone, also when it goes while we read (ESRCH).

    A process calls itself as it likes: with a name that is no text, or with a command line of megabytes.
    """
    try:
        with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""
