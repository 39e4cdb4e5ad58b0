# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..._kernel import process_table
from ..._kernel.cgroup_statistics import read_processor_times
from ..._kernel.files import read_text
from .. import places, report, status, store
from .streams import say
from .usage import UsageError

TEXT = """usage: vserver-stat

A line for the host (context 0) and one for each jail that runs, as vserver-stat of util-vserver prints them: number of
the jail, processes, virtual and resident memory of these, time of processors in user and kernel mode, time since the
start, and name."""

_TICKS = os.sysconf("SC_CLK_TCK")
_HEADER = "CTX   PROC    VSZ    RSS  userTIME   sysTIME    UPTIME NAME"


class _Sum(NamedTuple):
    processes: int = 0
    virtual: int = 0
    resident: int = 0


def vserver_stat(words: list[str]) -> int:
    """The command vserver-stat; its exit status."""
    if words:
        if words != ["--help"]:
            raise UsageError("vserver-stat takes nothing")
        say(TEXT)
        return 0
    rows = [row for row in report.describe_all(store.names()) if row["state"] in ("running", "frozen")]
    sums = _sums()
    times = {row["name"]: read_processor_times(status.group(row["name"])) or (0.0, 0.0) for row in rows}
    uptime = float((read_text("/proc/uptime") or "0").split()[0])
    say(_HEADER)
    say(_line(0, sums.get("", _Sum()), _host_times(times.values()), uptime, "root server"))
    for row in sorted(rows, key=lambda row: row["id"] or 0):
        name = row["name"]
        say(_line(row["id"] or 0, sums.get(name, _Sum()), times[name], row["uptime"] or 0, name))
    return 0


def _sums() -> dict[str, _Sum]:
    """What the processes of each jail have in all, and those in no jail, under ""; one walk over /proc."""
    found: dict[str, _Sum] = {}
    for pid in _pids():
        group, sizes = process_table.group_of(pid), process_table.read_sizes(pid)
        if group is None or sizes is None:
            continue
        parts = group.strip("/").split("/")
        jail = parts[1] if len(parts) > 1 and parts[0] == places.CGROUP else ""
        before = found.get(jail, _Sum())
        found[jail] = _Sum(before.processes + 1, before.virtual + sizes[0], before.resident + sizes[1])
    return found


def _pids() -> Iterable[int]:
    own = os.getpid()
    return (int(entry) for entry in os.listdir("/proc") if entry.isdecimal() and int(entry) != own)


def _host_times(jails: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Seconds of the machine in user and kernel mode since its boot (proc_stat(5)), but for what its jails had."""
    fields = (read_text("/proc/stat") or "cpu 0 0 0").split("\n", 1)[0].split()
    user, system = (int(fields[1]) + int(fields[2])) / _TICKS, int(fields[3]) / _TICKS
    for of_jail in jails:
        user, system = user - of_jail[0], system - of_jail[1]
    return max(0.0, user), max(0.0, system)


def _line(context: int, used: _Sum, times: tuple[float, float], uptime: float, name: str) -> str:
    user, system = times
    memory = f"{_size(used.virtual):>7}{_size(used.resident):>7}"
    return f"{context:<5}{used.processes:>5}{memory}{_time(user):>10}{_time(system):>10}{_time(uptime):>10} {name[:20]}"


def _size(value: float) -> str:
    """Three digits at most before the point, one behind it: 90.9M."""
    suffixes = [" ", "K", "M", "G", "T"]
    while value >= 1000 and len(suffixes) > 1:
        value /= 1024
        suffixes.pop(0)
    text = f"{int(value * 10) / 10:.1f}"
    return f"{text[:-2] if text.endswith('.0') else text}{suffixes[0]}"


def _time(seconds: float) -> str:
    """The two or three largest units: 0m58s75, 1h02m03, 2d04h12, 1y023d04."""
    hundredths = int(seconds * 100)
    rest, hundredths = divmod(hundredths, 100)
    minutes, second = divmod(rest, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days > 999:
        return f"{days // 365}y{days % 365:02d}d{hour:02d}"
    if days:
        return f"{days}d{hour:02d}h{minute:02d}"
    if hours:
        return f"{hour}h{minute:02d}m{second:02d}"
    return f"{minute}m{second:02d}s{hundredths:02d}"


COMMANDS: dict[str, Callable[[list[str]], int]] = {"vserver-stat": vserver_stat}
