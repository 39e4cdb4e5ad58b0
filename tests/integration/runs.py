# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of these tests has left that was killed, the next one removes: nobody else would.

A run notes which jails and templates there are when it begins. Of those that are there later, it has made the ones that
have a name of the tests.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ansible_collections.hosting.jails.plugins.module_utils._engine import places, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import directories, templates
from ansible_collections.hosting.jails.plugins.module_utils._kernel import files, processes
from ansible_collections.hosting.jails.tests.integration.jails import Jail

RECORDS = Path("/var/lib/hosting.jails.tests")
PREFIXES = ("con-", "eng-", "fleet-", "inv-", "rol-")


def begin() -> None:
    """Remove what killed runs have left, unless another is under way, and note what there is now."""
    read = ((path, files.read_json(str(path))) for path in sorted(RECORDS.glob("*.json")))
    records = [(path, record) for path, record in read if record]
    if not any(processes.is_alive(record["pid"], record["started"]) for _unused, record in records):
        for path, record in records:
            _remove_all_but(record["before"])
            path.unlink()
    RECORDS.mkdir(mode=0o700, exist_ok=True)
    pid = os.getpid()
    record = {"pid": pid, "started": processes.start_time(pid), "before": _jails() + _templates()}
    files.write_json(str(_record()), record)


def end() -> None:
    """Nobody needs to remove anything after this process."""
    _record().unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        RECORDS.rmdir()


def _record() -> Path:
    return RECORDS / f"{os.getpid()}.json"


def _remove_all_but(before: list[str]) -> None:
    for name in _jails():
        if name.startswith(PREFIXES) and name not in before:
            Jail(name).remove()
    for name in _templates():
        if name.startswith(PREFIXES) and name not in before:
            templates.remove(name)


def _jails() -> list[str]:
    """Names of what has a document, a root, or is in the way of one."""
    found = {*store.names(), *_entries(places.RUNTIME), *_entries(directories.ROOTS)}
    return sorted(name for name in found if name[0] != "." and "." not in name)


def _templates() -> list[str]:
    return _entries(directories.TEMPLATES)


def _entries(directory: str) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return sorted(os.listdir(directory))
    return []
