# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel import process_table
from .._kernel.errors import KernelError
from .._kernel.paths import open_beneath
from .._model.names import jail_name
from . import places, status, store
from .launch.accounts import is_id

_LARGEST_PASSWD = 1 << 20


def processes_of(name: str) -> list[dict[str, Any]]:
    """The processes of a jail, by pid: as the host sees them, and what the jail calls them.

    ``jail_pid`` and ``jail_uid`` are None for a process whose number means nothing in the jail: one that is only
    beginning to enter it. ``user`` is the name in the jail's own passwd(5), the number where it has none.
    """
    pids = sorted(set(status.group(name).processes()))
    if not pids:
        return []
    init = _init(name)
    ranges = process_table.uid_map(init) if init else ()
    names = _user_names(init) if init else {}
    found = [process_table.read_process(pid) for pid in pids]
    return [_row(pid, process, ranges, names) for pid, process in zip(pids, found) if process]


def _init(name: str) -> int | None:
    state = store.read_state(name)
    return state.pid if state and status.is_alive(state) else None


def _row(
    pid: int,
    process: process_table.Process,
    ranges: Sequence[tuple[int, int, int]],
    names: Mapping[int, str],
) -> dict[str, Any]:
    uid = _inside(process.uid, ranges)
    return {
        "pid": pid,
        "jail_pid": process.pids[1] if len(process.pids) > 1 else None,
        "uid": process.uid,
        "jail_uid": uid,
        "user": None if uid is None else names.get(uid, str(uid)),
        "state": process.state,
        "memory": process.resident,
        "cpu_seconds": process.cpu_seconds,
        "command": process.command.strip() or process.name,
    }


def _inside(uid: int, ranges: Sequence[tuple[int, int, int]]) -> int | None:
    for inside, outside, count in ranges:
        if outside <= uid < outside + count:
            return uid - outside + inside
    return None


def _user_names(init: int) -> dict[int, str]:
    """Names by number from a jail's /etc/passwd, which is whatever its root has put there."""
    lines = _read_passwd(init).splitlines()
    records = [line.split(":") for line in reversed(lines)]
    return {int(record[2]): record[0] for record in records if len(record) == 7 and is_id(record[2])}


def _read_passwd(init: int) -> str:
    """No link in the jail leads us out, and nothing that is no regular file is waited for."""
    try:
        root = os.open(f"/proc/{init}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fd = open_beneath(root, "etc/passwd", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except KernelError:
        return ""
    finally:
        os.close(root)
    with open(fd, "rb") as file:
        regular = stat.S_ISREG(os.fstat(fd).st_mode)
        return file.read(_LARGEST_PASSWD).decode("utf-8", "replace") if regular else ""


def jail_of(pid: int) -> str | None:
    """The jail that a process of the host is in, by its control group; None if it is in none, or gone.

    A process in a jail of a jail is in the outer one: that is the one of this host. What is mounted of the groups may
    lie below what the kernel counts from, so the path may begin with something else.
    """
    path = process_table.group_of(pid) or ""
    _unused, found, rest = f"{path}/".partition(f"/{places.CGROUP}/")
    name = rest.partition("/")[0]
    return jail_name(name) if found and name in store.names() else None
