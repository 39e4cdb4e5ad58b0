# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..._model.names import jail_name
from .. import places, report, store
from ..errors import EngineError
from .streams import say
from .usage import UsageError

_FOLLOW_SECONDS = 0.2
_CHUNK = 65536


def _select(words: list[str]) -> list[str]:
    """The jails that a command line names, all of the host if it names none."""
    known = store.names()
    for name in words:
        if jail_name(name) not in known:
            raise EngineError(name, "there is no such jail on this host", remedy="jailctl list")
    return words or known


def _flags(words: list[str], *known: str) -> tuple[set[str], list[str]]:
    flags = {word for word in words if word.startswith("-")}
    unknown = flags - set(known)
    if unknown:
        raise UsageError(f"{unknown.pop()!r} is not an option here")
    return flags, [word for word in words if word not in flags]


def _list(words: list[str]) -> int:
    flags, names = _flags(words, "--json")
    rows = [report.describe(name) for name in _select(names)]
    if "--json" in flags:
        return _json(rows)
    return _table(rows, ("id", "name", "state", "pid", "uptime", "addresses"))


def _status(words: list[str]) -> int:
    flags, names = _flags(words, "--json")
    rows = [report.describe(name, ("status", "network")) for name in _select(names)]
    if "--json" in flags:
        return _json(rows)
    return _table(rows, ("name", "state", "uptime", "restarts", "exit_status", "message"))


def _stat(words: list[str]) -> int:
    flags, names = _flags(words, "--json")
    rows = [report.describe(name, ("status", "resources", "disk")) for name in _select(names)]
    if "--json" in flags:
        return _json(rows)
    return _table(
        [_usage_row(row) for row in rows], ("name", "state", "procs", "memory", "limit", "cpu", "disk", "uptime")
    )


def _usage_row(row: dict[str, Any]) -> dict[str, Any]:
    used, limits = row["resources"]["used"], row["resources"]["limits"]
    return {
        **row,
        "procs": used.get("pids"),
        "memory": _size(used.get("memory")),
        "limit": limits.get("memory"),
        "cpu": f"{used['cpu_usec'] / 1e6:.1f}s" if "cpu_usec" in used else None,
        "disk": _size(row["disk"].get("used")),
    }


def _size(value: int | None) -> str | None:
    return None if value is None else f"{value / (1 << 20):.1f}M"


def _json(rows: Sequence[dict[str, Any]]) -> int:
    say(json.dumps(rows, indent=2))
    return 0


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> int:
    cells = [[column.upper() for column in columns]]
    cells += [[_cell(column, row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[number]) for line in cells) for number in range(len(columns))]
    for line in cells:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    return 0


def _cell(column: str, value: Any) -> str:
    if value in (None, "", []):
        return "-"
    if column == "uptime":
        return _duration(int(value))
    return ",".join(value) if isinstance(value, list) else str(value)


def _duration(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}d {clock}" if days else clock


def _logs(words: list[str]) -> int:
    flags, names = _flags(words, "--follow", "-f")
    if len(names) != 1:
        raise UsageError("logs needs the name of one jail")
    path = places.log(_select(names)[0])
    for name in (f"{path}.2", f"{path}.1", path):
        with contextlib.suppress(FileNotFoundError), open(name, "rb") as file:
            while _copy(file):
                continue
    if flags:
        _follow(path)
    return 0


def _follow(path: str) -> None:
    """Print what comes, until interrupted; a log that was rotated is opened again."""
    while True:
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            while _is_current(file.fileno(), path):
                if not _copy(file):
                    time.sleep(_FOLLOW_SECONDS)
        time.sleep(_FOLLOW_SECONDS)


def _copy(file: Any) -> bool:
    data = file.read(_CHUNK)
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return bool(data)


def _is_current(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


COMMANDS: dict[str, Callable[[list[str]], int]] = {"list": _list, "status": _status, "stat": _stat, "logs": _logs}
