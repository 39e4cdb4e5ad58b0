# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""nf_tables, through nft(8) with JSON in and JSON out (libnftables-json(5)): each call is one atomic transaction.

A process is started only for a table that is there, which ``nfnetlink`` says.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import KernelError
from .nfnetlink import has_table

Command = Mapping[str, Any]

_DIRECTORIES = ("/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin")
_TIMEOUT_SECONDS = 60
_ATTEMPTS = 5


class Refused(KernelError):
    """nft has not carried out a transaction, nor any part of it; ``message`` is what it said."""

    def __init__(self, operation: str, target: str, message: str) -> None:
        super().__init__(operation, target, errno.EINVAL)
        self.args = (operation, target, message)
        self.message = message

    def __str__(self) -> str:
        return f"{self.operation} {self.target}: nft says: {self.message}"


def is_available() -> bool:
    """Whether nft is installed."""
    return bool(_program())


def read_table(name: str) -> list[dict[str, Any]] | None:
    """The objects of a table of the family ``inet``, each as ``{kind: {...}}``; None where there is no such table.

    KernelError ENOPKG: nft is not installed.
    """
    command = {"list": {"table": {"family": "inet", "name": name}}}
    attempts = _ATTEMPTS
    while has_table(name):
        attempts -= 1
        try:
            answer = _run([command], operation="list", target=f"table inet {name}")
        except Refused:
            # It may have gone while nft looked, and come again.
            if not attempts:
                raise
            continue
        objects: list[dict[str, Any]] = json.loads(answer)["nftables"]
        return objects
    return None


def apply(commands: Sequence[Command], *, target: str) -> None:
    """Carry out all commands or none. ``target`` is what they change, for people.

    Refused where one of them is refused; KernelError ENOPKG where nft is not installed.
    """
    _run(commands, operation="change", target=target)


def _run(commands: Sequence[Command], *, operation: str, target: str) -> str:
    import subprocess

    program = _program()
    if not program:
        raise KernelError(operation, target, errno.ENOPKG)
    text = json.dumps({"nftables": list(commands)})
    try:
        done = subprocess.run(
            [program, "-j", "-f", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
            env={"PATH": ":".join(_DIRECTORIES), "LC_ALL": "C"},
        )
    except OSError as error:
        raise KernelError.from_os_error(operation, target, error) from error
    except subprocess.TimeoutExpired as error:
        raise KernelError(operation, target, errno.ETIMEDOUT) from error
    if done.returncode:
        raise Refused(operation, target, " ".join(done.stderr.split()) or f"status {done.returncode}")
    return done.stdout


def _program() -> str:
    paths = (f"{directory}/nft" for directory in _DIRECTORIES)
    return next((path for path in paths if os.access(path, os.X_OK)), "")
