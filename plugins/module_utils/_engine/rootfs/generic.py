# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

_IDENTITY = ("var/lib/dbus/machine-id", "var/lib/systemd/random-seed", "var/lib/systemd/credential.secret")
_OF_THE_HOST = (
    "etc/hostname",
    "etc/resolv.conf",
    "etc/apt/apt.conf.d/00mmdebstrap",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "usr/sbin/policy-rc.d",
    "var/cache/ldconfig/aux-cache",
)
_EMPTIED = ("var/lib/apt/lists", "var/cache/apt", "tmp", "var/tmp", "run")
_LOGS = "var/log"

# All paths here are relative to the current directory, which the caller has made its root: no link leads out of it.


def forget_identity() -> None:
    """Remove what must differ between clones: machine-id(5), random seed, the SSH server's host keys.

    The machine-id stays as an empty file: systemd then makes a new one at boot, and can mount one on a read-only root.
    """
    for path in (*_IDENTITY, *_host_keys()):
        _unlink(path)
    if os.path.isdir("etc"):
        _unlink("etc/machine-id")
        os.close(os.open("etc/machine-id", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444))


def tidy_after_packages() -> None:
    """Remove what the build itself left: package lists, caches, the host's name servers, the contents of logs."""
    for path in _OF_THE_HOST:
        _unlink(path)
    for directory in _EMPTIED:
        for path in _files_beneath(directory):
            _unlink(path)
    for path in _files_beneath(_LOGS):
        os.truncate(path, 0)


def _host_keys() -> list[str]:
    try:
        names = os.listdir("etc/ssh")
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [f"etc/ssh/{name}" for name in names if name.startswith("ssh_host_")]


def _files_beneath(directory: str) -> Iterator[str]:
    """Everything but directories; a symbolic link in the place of the directory itself has nothing beneath it."""
    if os.path.islink(directory):
        return
    for parent, _unused, names in os.walk(directory):
        for name in names:
            path = f"{parent}/{name}"
            if directory != _LOGS or stat.S_ISREG(os.lstat(path).st_mode):
                yield path


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(path)
