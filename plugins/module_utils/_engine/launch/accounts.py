# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import stat
from typing import NamedTuple

from ..errors import EngineError

_LARGEST_DATABASE = 4 << 20
_MOST_DIGITS = 10


class Account(NamedTuple):
    """Numeric identity of a user inside the jail, and the home directory."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    name: str
    shell: str = "/bin/sh"


def look_up(user: str) -> Account:
    """Find a user (``name``, ``uid``, either with ``:group``) in the jail's own databases; call it inside the jail.

    The files belong to the jail's root, who may have put anything there: they are opened without blocking, must
    be regular and of sane size (passwd(5), group(5)). EngineError with path ``user`` when there is no such one.
    """
    wanted, _unused, wanted_group = user.partition(":")
    passwd = _records("/etc/passwd", 7)
    entry = next((record for record in passwd if wanted in (record[0], record[2])), None)
    if entry is None and wanted == "root":
        wanted = "0"
    if entry is None and not wanted.isdigit():
        raise EngineError("", f"the jail has no user {wanted!r}", path="user", remedy="name one of its /etc/passwd")
    groups = _records("/etc/group", 4)
    uid = int(entry[2]) if entry else int(wanted)
    name = entry[0] if entry else wanted
    gid = _group(wanted_group, groups) if wanted_group else int(entry[3]) if entry else 0
    supplementary = [] if wanted_group else [int(record[2]) for record in groups if name in record[3].split(",")]
    home = entry[5] if entry else "/"
    shell = (entry[6] if entry else "") or "/bin/sh"
    return Account(uid, gid, tuple(sorted({gid, *supplementary})), home, name, shell)


def enter_directory(path: str, *, required: bool) -> None:
    """After all descriptors are closed, so that no path through /proc/self/fd leads to the host (CVE-2024-21626)."""
    try:
        os.chdir(path)
    except OSError as error:
        if required:
            raise EngineError("", f"{path}: {error.strerror}", path="workdir", remedy="make it in the jail") from error
        os.chdir("/")
    if not os.getcwd().startswith("/"):
        raise EngineError("", f"{path} is not inside the jail", path="workdir", remedy="name a directory of the jail")


def _group(wanted: str, groups: list[list[str]]) -> int:
    for record in groups:
        if wanted in (record[0], record[2]):
            return int(record[2])
    if wanted.isdigit():
        return int(wanted)
    raise EngineError("", f"the jail has no group {wanted!r}", path="user", remedy="name one of its /etc/group")


def _records(path: str, fields: int) -> list[list[str]]:
    """Well-formed lines of a database; the third field of each is a number."""
    rows = (line.split(":") for line in _read(path).splitlines())
    return [row for row in rows if len(row) == fields and is_id(row[2]) and (fields == 4 or is_id(row[3]))]


def is_id(text: str) -> bool:
    """Whether it is the number of a user or group in 32 bits: Python refuses to read one of thousands of digits."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text) < 1 << 32


def _read(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        return os.read(fd, _LARGEST_DATABASE).decode(errors="replace")
    finally:
        os.close(fd)
