# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from ..._kernel import capabilities, mounts, processes
from ..errors import EngineError
from .isolation import run_isolated

MAX_SIZE = 32 << 30
MAX_ENTRIES = 1_000_000
_MEMORY = 1 << 30
_CHUNK = 1 << 20
_DEFAULT_DIGEST = "sha256"
_PATH = "source.archive"
# Owners, modes and file capabilities of any user, and nothing else: no mknod, no mount, no other namespace.
_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETFCAP")


@dataclass(frozen=True)
class Content:
    """What was unpacked: ``checksum`` as in the option, ``left_out`` the device nodes that a jail has of its own."""

    checksum: str
    entries: int
    size: int
    left_out: tuple[str, ...]


def extract(path: str, destination: str, *, checksum: str | None, scratch: str, shared: bool) -> Content:
    """Unpack a tar archive (plain, gz, bz2, xz, zst) into an empty directory; ids are taken as they are.

    What is verified is what is unpacked: a copy of the archive in ``scratch`` that has no name, so that nobody can
    change it in between. It is unpacked by a process that has the destination as its root and hardly a capability.
    A ``shared`` tree loses its identity. Raises EngineError naming the entry, KernelError for a full file system.
    """
    from . import decompression

    fd, digest = _private_copy(path, scratch, algorithm=(checksum or _DEFAULT_DIGEST).partition(":")[0])
    try:
        if checksum and digest != checksum:
            raise EngineError(
                "",
                f"{path} does not have the checksum that was asked for: it has {digest}",
                path=f"{_PATH}.checksum",
                remedy="get the archive again, or correct the checksum if you trust it",
            )
        form = decompression.format_of(fd)
        tool = decompression.missing_tool(form)
        if tool:
            raise EngineError("", f"{path} needs {tool}", path=f"{_PATH}.path", remedy=f"apt-get install {tool}")
        answer = json.loads(run_isolated(lambda: _extract_here(fd, form, destination, shared), network=False))
    finally:
        os.close(fd)
    return _content(answer, path, digest)


def refuse_unreadable(path: str) -> None:
    """Raise EngineError if there is no file to read at a path."""
    with _opened(path):
        return


def checksum_of(path: str, *, algorithm: str = "") -> str:
    """``sha256:...`` of a file, or by another algorithm."""
    algorithm = algorithm or _DEFAULT_DIGEST
    digest = hashlib.new(algorithm)
    with _opened(path) as source:
        while data := os.read(source, _CHUNK):
            digest.update(data)
    return f"{algorithm}:{digest.hexdigest()}"


def _content(answer: dict[str, object], path: str, digest: str) -> Content:
    if "reason" in answer:
        entry = f"entry {answer['entry']!r}: " if answer["entry"] else ""
        raise EngineError(
            "",
            f"{path}: {entry}{answer['reason']}; nothing of it was kept",
            path=f"{_PATH}.path",
            remedy="make the archive again from a system that you trust",
        )
    left_out = answer["left_out"]
    names = tuple(left_out) if isinstance(left_out, list) else ()
    return Content(digest, int(str(answer["entries"])), int(str(answer["size"])), names)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise EngineError(
            "",
            f"{path} cannot be opened ({error.strerror})",
            path=f"{_PATH}.path",
            remedy="name a tar archive on the host",
        ) from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise EngineError(
                "", f"{path} is not a regular file", path=f"{_PATH}.path", remedy="name a tar archive on the host"
            )
        yield fd
    finally:
        os.close(fd)


def _private_copy(path: str, scratch: str, *, algorithm: str) -> tuple[int, str]:
    digest = hashlib.new(algorithm)
    with _opened(path) as source:
        copy = os.open(scratch, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
        try:
            while data := os.read(source, _CHUNK):
                digest.update(data)
                view = memoryview(data)
                while view:
                    view = view[os.write(copy, view) :]
        except BaseException:
            os.close(copy)
            raise
    return copy, f"{algorithm}:{digest.hexdigest()}"


def _extract_here(fd: int, form: str, destination: str, shared: bool) -> bytes:
    """The extraction itself, as the first process of its namespaces. It imports before the host is out of sight."""
    from . import decompression, extraction, generic

    for codec in ("utf-8", "iso-8859-1", "ascii"):  # those that pax headers name
        "".encode(codec)
    stream = decompression.open_stream(fd, form)
    _leave_host(destination)
    limits = extraction.Limits(size=MAX_SIZE, entries=MAX_ENTRIES)
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        totals = extraction.unpack(stream, root, limits)
    except extraction.Refused as refused:
        return json.dumps({"entry": refused.entry, "reason": refused.reason}).encode()
    if shared:
        generic.forget_identity()
    return json.dumps({"entries": totals.entries, "size": totals.size, "left_out": totals.left_out}).encode()


def _leave_host(destination: str) -> None:
    os.umask(0)
    mounts.mount(destination, destination, None, mounts.MS_BIND)
    os.chdir(destination)
    mounts.pivot_root_here()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    keep = [capabilities.number_of(name) for name in _CAPABILITIES]
    capabilities.drop_bounding(keep)
    capabilities.set_capabilities(permitted=keep, effective=keep)
    processes.set_no_new_privileges()
