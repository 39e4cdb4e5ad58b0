# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything on a machine that the engine could leave behind."""

from __future__ import annotations

import json
import os
import re
import time

from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import reader
from ansible_collections.hosting.jails.plugins.module_utils._kernel import process_table
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroups import find_hierarchies
from ansible_collections.hosting.jails.tests.faults import machine
from ansible_collections.hosting.jails.tests.integration.engine import network_host

# What belongs to the host and not to a jail: it comes with the first jail and stays.
_OF_THE_HOST = (
    "/run/jails/.allocations.lock",
    "/run/jails/.documents.lock",
    "/run/jails/.firewall.lock",
    "/run/jails/.firewall.lock",
    "/run/jails/.supervisor.lock",
    "/run/jails/supervisor.sock",
    "/run/jails/.boot-id",
    "/var/lib/jails/allocations.json",
    "/var/lib/jails/.allocations.json.tmp",
    "/var/lib/jails/roots",
)
# How long a loaded machine may take to be rid of what was killed.
_MOMENT = 30.0
_GROUPS_OF_THE_HOST = ("jails", "jails/.supervisor")


def world(*directories: str) -> list[str]:
    """All processes, mounts, links, control groups and files; ``directories`` are looked at as well."""
    found = [*_processes(), *_mounts(), *network_host.world(), *_groups(), *_files(directories)]
    return sorted(found + [f"allocation {jail}" for jail in allocations()])


def allocations() -> dict[str, dict[str, int]]:
    """The jails that have ids and an interface of their own, as recorded."""
    try:
        with open("/var/lib/jails/allocations.json", encoding="utf-8") as file:
            return dict(json.load(file))
    except FileNotFoundError:
        return {}


def settled(before: list[str], *directories: str, passing: str = "") -> list[str]:
    """What is there and was not before, or the other way round, once nothing moves any more.

    ``passing`` is a regular expression for what may be there or not.
    """
    deadline = time.monotonic() + _MOMENT
    while True:
        now = world(*directories)
        difference = [f"left: {item}" for item in now if item not in before]
        difference += [f"gone: {item}" for item in before if item not in now]
        difference = [item for item in difference if not (passing and re.search(passing, item))]
        if not difference or time.monotonic() > deadline:
            return difference
        time.sleep(0.02)


def strays() -> list[str]:
    """Processes that are in no jail and are no supervisor: nobody would ever look for them."""
    deadline = time.monotonic() + _MOMENT
    while found := _strays():
        if time.monotonic() > deadline:
            return found
        time.sleep(0.01)
    return []


def _strays() -> list[str]:
    found = []
    for pid, command in machine.processes().items():
        try:
            with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
                group = next(line for line in file if line.startswith("0::")).strip()
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                zombie = file.read().rpartition(")")[2].split()[0] == "Z"
        except (OSError, StopIteration):
            continue
        if not zombie and "/jails/" not in group and not _is_supervisor(pid) and not _is_reader(pid):
            found.append(f"{pid} {command} in {group}")
    return found


def _is_reader(pid: int) -> bool:
    """The child by which the supervisor reads what jails print, as long as there is a supervisor."""
    process = process_table.read_process(pid)
    return process is not None and process.name == reader.NAME and _is_supervisor(process.parent)


def _is_supervisor(pid: int) -> bool:
    """The one that holds the supervisor's lock, whether it was executed or forked from the test."""
    try:
        inode = os.stat("/run/jails/.supervisor.lock").st_ino
        entries = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    return any(_inode(f"/proc/{pid}/fd/{entry}") == inode for entry in entries)


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return -1


def _processes() -> list[str]:
    return [f"process {command}" for pid, command in machine.processes().items() if not _is_supervisor(pid)]


def _mounts() -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return [f"mount {line.split()[4]}" for line in file]


def _groups() -> list[str]:
    found = []
    for root in find_hierarchies().roots:
        for directory, _unused, _unused in os.walk(root):
            name = os.path.relpath(directory, root)
            if name not in _GROUPS_OF_THE_HOST:
                found.append(f"cgroup {directory}")
    return found


def _files(directories: tuple[str, ...]) -> list[str]:
    found = []
    for top in (*machine.STATE_DIRECTORIES, *directories):
        for parent, names, files in os.walk(top):
            found += [f"{parent}/{name}" for name in names + files]
    return [f"file {path}" for path in found if not _is_of_the_host(path)]


def _is_of_the_host(path: str) -> bool:
    return path in _OF_THE_HOST or (path.startswith("/run/jails/.templates/") and path.endswith(".lock"))
