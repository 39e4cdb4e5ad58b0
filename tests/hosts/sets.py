# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A set of hosts on one wire: made, found again by its prefix alone, and removed without a trace."""

from __future__ import annotations

import contextlib
import os
import string
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.hosting.jails.plugins.module_utils._kernel import files, processes, trees
from ansible_collections.hosting.jails.tests.hosts import (
    access,
    archives,
    control_groups,
    image,
    places,
    power,
    segment,
)
from ansible_collections.hosting.jails.tests.hosts.host import Host

BOOT_SECONDS = 60.0


def hosts(prefix: str) -> list[Host]:
    """The hosts of a set, on and off, in order."""
    directory = places.directory(prefix)
    names = os.listdir(directory) if directory.is_dir() else []
    numbers = [name[len(prefix) :] for name in names if name.startswith(prefix)]
    return [Host(prefix, number) for number in sorted(int(number) for number in numbers if number.isdigit())]


def up(count: int, *, prefix: str) -> list[Host]:
    """Have hosts 1 to ``count`` of a set on and ready for ssh; what is there is kept."""
    places.check_prefix(prefix)
    image.ensure()
    archives.ensure()
    places.directory(prefix).mkdir(parents=True, exist_ok=True)
    places.runtime(prefix).mkdir(parents=True, exist_ok=True)
    with _lock(prefix) as lock:
        os.set_inheritable(lock.fd, True)
        segment.create(prefix)
        public = access.ensure_key(prefix)
        for number in range(1, count + 1):
            Host(prefix, number).create(authorized=public)
        everyone = hosts(prefix)
        access.write(prefix, everyone)
        for host in everyone:
            if host.pid is None:
                power.switch_on(host)
        for host in everyone:
            host.wait_ready(BOOT_SECONDS)
    return everyone


def down(prefix: str) -> None:
    """Remove a set, whatever is left of it."""
    places.check_prefix(prefix)
    places.RUNTIME.mkdir(parents=True, exist_ok=True)
    with _lock(prefix) as lock:
        access.hang_up(prefix)
        group = control_groups.group(places.control_group(prefix))
        group.kill()
        group.wait_empty(10)
        group.remove()
        segment.remove(prefix)
        for directory in (places.directory(prefix), places.runtime(prefix)):
            trees.remove_tree(str(directory))
        lock.remove()
    for parent in (places.SETS, places.RUNTIME):
        # The next set makes them again.
        with contextlib.suppress(OSError):
            parent.rmdir()


def _lock(prefix: str) -> files.Lock:
    """Held by whoever makes or removes a set, and by what it has started for that: it may have been killed since."""
    return files.Lock(str(places.RUNTIME / f"{prefix}.lock"), timeout=BOOT_SECONDS * 2)


@contextlib.contextmanager
def running(count: int, *, purpose: str) -> Iterator[list[Host]]:
    """A new set for the length of a block: each process has its own, by a prefix of up to four letters and its pid.

    What a process has left that was killed in the block is removed first.
    """
    for prefix in places.prefixes():
        if prefix.startswith(f"{purpose}-") and _is_orphan(prefix):
            down(prefix)
    prefix = f"{purpose}-{_letters(os.getpid())}"
    owner = os.getpid()
    try:
        places.directory(prefix).mkdir(parents=True)
        record = {"pid": owner, "started": processes.start_time(owner)}
        files.write_json(str(_owner(prefix)), record, sync=False)
        yield up(count, prefix=prefix)
    finally:
        # A forked child ends with its copy of all that is open in its parent.
        if os.getpid() == owner:
            down(prefix)


def _owner(prefix: str) -> Path:
    return places.directory(prefix) / "owner.json"


def _is_orphan(prefix: str) -> bool:
    record = files.read_json(str(_owner(prefix)))
    return record is None or not processes.is_alive(record["pid"], record["started"])


def _letters(number: int) -> str:
    """A number in letters: the hosts' numbers come behind it."""
    text = ""
    while number:
        number, digit = divmod(number, len(string.ascii_lowercase))
        text += string.ascii_lowercase[digit]
    return text
