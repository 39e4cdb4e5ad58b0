# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from . import libc
from .errors import KernelError
from .files import closing, put_in_place, sync_directory, temporary_of


def write_json_all(directory: str, values: Mapping[str, Any]) -> dict[str, KernelError]:
    """Replace files of a directory as files.write_json() does each; those that could not be, by name, with why.

    All are written aside, then brought to the disk together, then renamed: as with an fsync(2) each, nobody ever finds
    a file that is half written, also after a power cut. But the disk is waited for once: syncfs(2). Callers hold locks
    that keep others from writing the same files.
    """
    failed: dict[str, KernelError] = {}
    for name, value in values.items():
        with _noting(directory, name, failed):
            _write_aside(f"{directory}/{name}", value)
    with closing(os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as fd:
        libc.call("sync file system of", directory, "syncfs", fd)
    for name in values.keys() - failed.keys():
        with _noting(directory, name, failed):
            put_in_place(temporary_of(f"{directory}/{name}"), f"{directory}/{name}")
    sync_directory(directory)
    return failed


@contextlib.contextmanager
def _noting(directory: str, name: str, failed: dict[str, KernelError]) -> Iterator[None]:
    path = f"{directory}/{name}"
    try:
        yield
    except OSError as error:
        failed[name] = KernelError.from_os_error("write", path, error)
        with contextlib.suppress(OSError):
            os.unlink(temporary_of(path))


def _write_aside(path: str, value: Any) -> None:
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(temporary_of(path), flags, 0o600), "wb") as file:
        file.write(text.encode())
