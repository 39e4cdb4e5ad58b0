# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import io
import os
import sys

_program = "jailctl"


def open_missing() -> None:
    """Open the null device for each stream that our caller has closed: nothing else may get its number."""
    while (fd := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(fd, True)
    os.close(fd)
    # Python has none where there was no descriptor when it started.
    sys.stdout = sys.stdout or io.TextIOWrapper(io.FileIO(1, "w", closefd=False))
    sys.stderr = sys.stderr or io.TextIOWrapper(io.FileIO(2, "w", closefd=False))


def say(text: str) -> None:
    """Print a line that was asked for."""
    sys.stdout.write(f"{text}\n")


def introduce(program: str) -> None:
    """Say under which name we complain: that by which we were called."""
    global _program
    _program = program


def complain(text: str) -> None:
    """Print a line about what went wrong."""
    sys.stderr.write(f"{_program}: {text}\n")


def flush() -> None:
    """Write what is still held back, so that a reader who has gone is noticed while we can say so (BrokenPipeError)."""
    sys.stdout.flush()
