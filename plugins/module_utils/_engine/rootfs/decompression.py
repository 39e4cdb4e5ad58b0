# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import zlib
from typing import IO, TYPE_CHECKING, Protocol, cast

from ..._kernel import capabilities, processes

if TYPE_CHECKING:
    from io import BufferedReader

# What a compressed stream starts with, by the name of the format (file(1)).
_MAGIC = {"gz": b"\x1f\x8b", "bz2": b"BZh", "xz": b"\xfd7zXZ\0", "zst": b"\x28\xb5\x2f\xfd"}

# What a damaged stream raises, besides an OSError without errno.
DAMAGE = (EOFError, lzma.LZMAError, zlib.error)


class Readable(Protocol):
    """The one method that a tar reader needs."""

    def read(self, size: int = ...) -> bytes: ...


def format_of(fd: int) -> str:
    """``gz``, ``bz2``, ``xz``, ``zst`` or ``tar``, by the first bytes of a file; its name says nothing reliable."""
    start = os.pread(fd, 8, 0)
    return next((name for name, magic in _MAGIC.items() if start.startswith(magic)), "tar")


def missing_tool(form: str) -> str:
    """The program that a format needs and that is not installed; empty when nothing is missing."""
    return "zstd" if form == "zst" and not shutil.which("zstd") else ""


def open_stream(fd: int, form: str) -> Readable:
    """The decompressed content of a file from its start. All that it needs from the host it has when this returns."""
    os.lseek(fd, 0, os.SEEK_SET)
    raw: IO[bytes] = os.fdopen(os.dup(fd), "rb")
    if form == "gz":
        return gzip.GzipFile(fileobj=raw)
    if form == "bz2":
        return bz2.BZ2File(raw)
    if form == "xz":
        return lzma.LZMAFile(raw)
    if form == "zst":
        return _ZstdProcess(fd)
    return raw


class _ZstdProcess:
    """zstd(1) as a child with no capability at all: Python has no zstd before 3.14."""

    def __init__(self, fd: int) -> None:
        import subprocess

        self._process = subprocess.Popen(
            ["zstd", "--decompress", "--stdout", "--quiet"],
            stdin=fd,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=_give_up_privileges,
        )
        # Our root will change, and its root with it: by its first byte it has loaded its libraries.
        self._output = cast("BufferedReader", self._process.stdout)
        self._output.peek(1)

    def read(self, size: int = -1) -> bytes:
        data = self._output.read(size)
        if len(data) < size and self._process.wait() != 0:
            raise EOFError("zstd cannot decompress it")
        return data


def _give_up_privileges() -> None:
    processes.set_no_new_privileges()
    capabilities.drop_bounding(())
