# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from .. import places, report, store
from .selection import select_jails, split_flags
from .streams import complain
from .tables import print_json, print_table, size
from .usage import UsageError

_FOLLOW_SECONDS = 0.2
_CHUNK = 65536


def _list(words: list[str]) -> int:
    flags, _unused, names = split_flags(words, flags=("--json",))
    rows = report.describe_all(select_jails(names))
    if "--json" in flags:
        return print_json(rows)
    _complain_of_damage()
    return print_table(rows, ("id", "name", "state", "pid", "uptime", "addresses"))


def _status(words: list[str]) -> int:
    flags, _unused, names = split_flags(words, flags=("--json",))
    rows = report.describe_all(select_jails(names), ("status", "network"))
    if "--json" in flags:
        return print_json(rows)
    _complain_of_damage()
    shown = [{**row, "ended": _ended(row["ended"])} for row in rows]
    return print_table(shown, ("name", "state", "uptime", "restarts", "exit_status", "ended", "message"))


def _complain_of_damage() -> None:
    """For people: in JSON each jail has a message, and a terminal would mix both."""
    for warning in store.warnings():
        complain(warning)


def _ended(ending: Mapping[str, Any] | None) -> str:
    return f"{ending['how'].replace('_', ' ')} {ending['at']}" if ending else ""


def _stat(words: list[str]) -> int:
    flags, _unused, names = split_flags(words, flags=("--json",))
    rows = report.describe_all(select_jails(names), ("status", "resources", "disk", report.TRAFFIC))
    if "--json" in flags:
        return print_json(rows)
    _complain_of_damage()
    columns = ("name", "state", "procs", "memory", "limit", "cpu", "disk", "received", "sent", "uptime")
    return print_table([_usage_row(row) for row in rows], columns)


def _usage_row(row: dict[str, Any]) -> dict[str, Any]:
    used, limits = row["resources"]["used"], row["resources"]["limits"]
    traffic = row[report.TRAFFIC] or {}
    return {
        **row,
        "procs": used.get("pids"),
        "memory": size(used.get("memory")),
        "limit": limits.get("memory"),
        "cpu": f"{used['cpu_usec'] / 1e6:.1f}s" if "cpu_usec" in used else None,
        "disk": size(row["disk"].get("used")),
        "received": size(traffic.get("received_bytes")),
        "sent": size(traffic.get("sent_bytes")),
    }


def _logs(words: list[str]) -> int:
    flags, _unused, names = split_flags(words, flags=("--follow", "-f"))
    if len(names) != 1:
        raise UsageError("logs needs the name of one jail")
    path = places.log(select_jails(names)[0])
    cleaned = _cleaned()
    for name in (f"{path}.2", f"{path}.1"):
        _print(name, cleaned, follow=False)
    _print(path, cleaned, follow=bool(flags))
    while flags:
        # It was rotated, or there is none yet.
        time.sleep(_FOLLOW_SECONDS)
        _print(path, cleaned, follow=True)
    return 0


def _cleaned() -> Callable[[bytes], bytes]:
    """What is done to output of a jail that is to be printed: nothing, unless it goes to a terminal."""
    if not sys.stdout.isatty():
        return bytes
    from .harmless import Harmless

    return Harmless().clean


def _print(path: str, cleaned: Callable[[bytes], bytes], *, follow: bool) -> None:
    """Print a log, with ``follow`` also what comes, until another one is in its place."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        while True:
            # Before we read: what was current then may have grown since, what was not has not.
            current = _is_current(file.fileno(), path)
            if _copy(file, cleaned):
                continue
            if not (follow and current):
                return
            time.sleep(_FOLLOW_SECONDS)


def _copy(file: Any, cleaned: Callable[[bytes], bytes]) -> bool:
    data = file.read(_CHUNK)
    sys.stdout.buffer.write(cleaned(data))
    sys.stdout.buffer.flush()
    return bool(data)


def _is_current(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


COMMANDS: dict[str, Callable[[list[str]], int]] = {"list": _list, "status": _status, "stat": _stat, "logs": _logs}
