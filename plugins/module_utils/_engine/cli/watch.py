# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from typing import Any

from ..._kernel.capabilities import name_of, read_sets
from .. import inmates, report, store
from ..errors import EngineError
from ..meter import Meter
from . import tables
from .selection import select_jails, split_flags
from .streams import flush, say
from .usage import UsageError

_INTERVAL = 2.0
# The first look of --once has nothing to compare with; this is as long as it waits for the second.
_SHORT = 0.5
_CLEAR = "\033[H\033[2J"
_MOST_NAMES = 12
_TOP = ("name", "state", "cpu%", "memory", "limit", "mem%", "pids", "pids_limit")
_PRIVILEGES = ("name", "pid", "jail_pid", "user", "capabilities", "seccomp", "no_new_privileges", "drift", "command")
_PS = ("name", "pid", "jail_pid", "user", "uid", "state", "cpu", "memory", "command")


def _ps(words: list[str]) -> int:
    flags, values, names = split_flags(words, flags=("--json", "--privileges"), values=("--pid",))
    read = _privileges if "--privileges" in flags else _processes
    rows = [_process(values["--pid"], names, read)] if "--pid" in values else read(select_jails(names))
    if "--json" in flags:
        return tables.print_json(rows)
    if "--privileges" in flags:
        return tables.print_table([_powers(row) for row in rows], _PRIVILEGES)
    return tables.print_table([_shown(row) for row in rows], _PS)


def _processes(names: list[str]) -> list[dict[str, Any]]:
    return [{"name": name, **row} for name in names for row in inmates.processes_of(name)]


def _privileges(names: list[str]) -> list[dict[str, Any]]:
    rows = report.describe_all(names, ("privileges",))
    return [{"name": row["name"], **one} for row in rows for one in row["privileges"].get("processes", ())]


def _process(text: str, names: list[str], read: Callable[[list[str]], list[dict[str, Any]]]) -> dict[str, Any]:
    """The row of one process of the host, with the jail that it is in."""
    if names:
        raise UsageError("ps takes --pid or names of jails")
    if not text.isdecimal():
        raise UsageError(f"{text!r} is not a process id")
    jail = inmates.jail_of(int(text))
    rows = read([jail]) if jail else []
    for row in rows:
        if row["pid"] == int(text):
            return row
    raise EngineError("", f"process {text} is in no jail of this host")


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "cpu": f"{row['cpu_seconds']:.1f}s", "memory": tables.size(row["memory"])}


def _powers(row: dict[str, Any]) -> dict[str, Any]:
    words = {
        "capabilities": _usable(row["capabilities"]),
        "no_new_privileges": "yes" if row["no_new_privileges"] else "no",
    }
    return {**row, **words, "drift": "; ".join(row["drift"])}


def _usable(sets: dict[str, list[str]]) -> list[str] | str:
    """What a process can use at once, its effective set: by name, or in a word where the names would fill lines."""
    held = sets["effective"]
    if set(held).issuperset(map(name_of, read_sets(os.getpid()).permitted)):
        return "all"
    return f"ceiling ({len(held)})" if held == sets["bounding"] and len(held) > _MOST_NAMES else held


def _top(words: list[str]) -> int:
    flags, values, names = split_flags(words, flags=("--json", "--once"), values=("--interval",))
    interval = _seconds(values.get("--interval"))
    select_jails(names)
    meter = Meter()
    meter.read(names or store.names())
    if "--json" in flags or "--once" in flags or not os.isatty(1):
        time.sleep(_SHORT if interval is None else interval)
        rows = meter.read(names or store.names())
        return tables.print_json(rows) if "--json" in flags else tables.print_table(_usage(rows), _TOP)
    with _keyboard():
        _refresh(lambda: meter.read(names or store.names()), _INTERVAL if interval is None else interval)
    return 0


def _seconds(text: str | None) -> float | None:
    try:
        seconds = None if text is None else float(text)
    except ValueError:
        seconds = -1.0
    if seconds is not None and not 0.1 <= seconds <= 3600:
        raise UsageError(f"--interval {text}: write seconds from 0.1 to 3600")
    return seconds


def _refresh(read: Callable[[], list[dict[str, Any]]], interval: float) -> None:
    """Show the jails again and again, those first that use most, until q is pressed."""
    pause = _SHORT
    while not _quits(pause):
        lines = tables.lines(_usage(read()), _TOP)
        columns, height = os.get_terminal_size(1)
        # Some terminals do not say how large they are, but that they have no size.
        shown = [line[: columns or 80] for line in lines[: max(2, (height or 24) - 1)]]
        sys.stdout.write(_CLEAR + "\n".join(shown) + "\n")
        flush()
        pause = interval


def _quits(seconds: float) -> bool:
    """Wait, and tell whether the reader wants no more."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if not os.isatty(0):
            time.sleep(left)
        elif select.select([0], [], [], left)[0] and os.read(0, 1) in (b"q", b"Q", b"\x04", b""):
            return True
    return False


@contextlib.contextmanager
def _keyboard() -> Iterator[None]:
    """Keys count at once and are not shown, as long as the table is."""
    if not os.isatty(0):
        yield
        return
    before = termios.tcgetattr(0)
    tty.setcbreak(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)
        say("")


def _usage(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as people read them; those first that use most."""
    rows = sorted(rows, key=lambda row: (-(row["cpu_percent"] or 0), -(row["memory"] or 0), row["name"]))
    return [
        {
            **row,
            "cpu%": row["cpu_percent"],
            "memory": tables.size(row["memory"]),
            "limit": tables.size(row["memory_limit"]),
            "mem%": row["memory_percent"],
        }
        for row in rows
    ]


COMMANDS: dict[str, Callable[[list[str]], int]] = {"ps": _ps, "top": _top}
