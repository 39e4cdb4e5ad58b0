# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What the options of caps do not show alone: device nodes, and paths that are covered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .devices import PROFILES, RESERVED
from .errors import DocumentError
from .host_paths import is_below
from .place import Place, listed

_KERNEL_DIRECTORIES = ("/proc", "/sys", "/dev")
# Written by each start, when everything is mounted.
_WRITTEN_FILES = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")


def check_nodes_and_paths(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    """What is wrong with ``devices``, ``masked_paths`` and ``read_only_paths`` of an effective document."""
    for option in ("masked_paths", "read_only_paths"):
        for index, path in enumerate(document["caps"][option]):
            yield from _check_covered(path, document, place.at(option).item(index))
    yield from _check_devices(document["caps"]["devices"], place.at("devices"))


def _check_covered(path: str, document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    written = [file for file in _WRITTEN_FILES if is_below(file, path)]
    if path in ("/", *_KERNEL_DIRECTORIES):
        yield place.error(f"no jail runs without {path}", "name what is below it")
    elif document["caps"]["profile"] == "vps" and any(is_below(path, own) for own in _KERNEL_DIRECTORIES):
        yield place.error(f"the profile vps mounts what {path} is in itself", "leave it out, or choose another profile")
    elif written:
        yield place.error(f"each start writes {listed(written, 'and')}", "name what else is to be covered there")


def _check_devices(entries: Sequence[Any], place: Place) -> Iterator[DocumentError]:
    paths: list[str] = []
    profiles = 0
    for index, entry in enumerate(entries):
        where = place.item(index)
        if isinstance(entry, str):
            profiles += 1
            if profiles > 1:
                yield where.error(f"{entry} is a second profile", "say one")
            continue
        if entry["path"] in paths:
            yield where.at("path").error(f"{entry['path']} is said twice", "say it once")
        paths.append(entry["path"])
        yield from _check_entry(entry, where)


def _check_entry(entry: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    path = entry["path"]
    top = "/".join(path.split("/")[:3])
    if top in RESERVED or any(path == device.path for device in PROFILES["minimal"]):
        yield place.at("path").error(f"{path} is the engine's own", "leave it out, or choose another path")
    numbers = [name for name in ("type", "major", "minor") if name in entry]
    if numbers and len(numbers) < 3:
        yield place.error("says only a part of type, major and minor", "say all three, or none of them")
    if numbers and "source" in entry:
        yield place.at("source").error("the device is given by its numbers", "say one or the other")
