# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from .errors import KernelError

_LOCK_POLL_SECONDS = 0.02
_CHUNK = 65536
# What reading ends with where something else is in the place of a file, or the disk has lost it.
_NO_FILE = (errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.EIO, errno.EUCLEAN)


class DamagedFile(KernelError):
    """A file of ours that does not parse, or is none: somebody edited it, or a disk failed."""

    def __str__(self) -> str:
        return super().__str__() if self.errno != errno.EINVAL else f"read {self.target}: the file is not valid JSON"


class LockBusy(KernelError):
    """Another process holds the lock, and still held it when the time was up."""

    def __str__(self) -> str:
        return f"lock {self.target}: another process holds it"


def write_atomic(path: str, data: str | bytes, *, mode: int = 0o600, sync: bool = True) -> None:
    """Replace a file as a whole: a reader sees the old content or the new, also after a crash when ``sync``.

    Temporary file in the same directory, fsync, rename, fsync of the directory (rename(2), fsync(2)). The temporary
    file is ``temporary_of(path)`` for every writer, who holds its lock: the next takes what a killed one has left.
    """
    content = data.encode() if isinstance(data, str) else data
    temporary = temporary_of(path)
    with Lock(temporary) as lock:
        try:
            os.ftruncate(lock.fd, 0)
            _write_all(lock.fd, content)
            os.fchmod(lock.fd, mode)
            if sync:
                os.fsync(lock.fd)
            put_in_place(temporary, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise KernelError.from_os_error("write", path, error) from error
    if sync:
        sync_directory(os.path.dirname(path))


def put_in_place(temporary: str, path: str) -> None:
    """Rename; what is no file, in the place of one, is in the way only if there is something in it."""
    try:
        os.rename(temporary, path)
    except IsADirectoryError:
        os.rmdir(path)
        os.rename(temporary, path)


def temporary_of(path: str) -> str:
    """Where a file is written before it is renamed into place."""
    directory, name = os.path.split(path)
    return f"{directory}/.{name}.tmp"


def _write_all(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def sync_directory(path: str) -> None:
    """Make renames and removals in a directory durable."""
    try:
        with closing(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as fd:
            os.fsync(fd)
    except OSError as error:
        raise KernelError.from_os_error("sync directory", path, error) from error


def canonical_json(value: Any) -> str:
    """One text for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def read_text(path: str) -> str | None:
    """Content of a small file, None where there is none, or that of a process which ends while we read (ESRCH)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _read_all(fd).decode()
        finally:
            os.close(fd)
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
        return None
    except OSError as error:
        raise KernelError.from_os_error("read", path, error) from error


def _read_all(fd: int) -> bytes:
    content = b""
    while piece := os.read(fd, _CHUNK):
        content += piece
    return content


def read_json(path: str) -> Any:
    """Parsed content of a JSON file, None where there is none; DamagedFile where it cannot be read or parsed.

    One that says null is damaged, and so is a link to nowhere: whoever gets None need not look again, when another may
    have written it.
    """
    try:
        text = read_text(path)
        value = None if text is None else json.loads(text)
    except KernelError as error:
        if error.errno not in _NO_FILE:
            raise
        raise DamagedFile(error.operation, path, error.errno) from error
    except (ValueError, RecursionError) as error:
        raise DamagedFile("read", path, errno.EINVAL) from error
    if value is None and (text is not None or os.path.islink(path)):
        raise DamagedFile("read", path, errno.ENOENT if text is None else errno.ENODATA)
    return value


def write_json(path: str, value: Any, *, sync: bool = True) -> None:
    """Write a value as indented JSON with sorted keys, atomically."""
    write_atomic(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", sync=sync)


def write_record(path: str, value: Any) -> None:
    """Write a value as JSON that is void after a boot and that nobody edits: on one line, and not synced."""
    write_atomic(path, canonical_json(value) + "\n", sync=False)


def make_directory(path: str, *, mode: int = 0o700) -> None:
    """Make a directory and its parents; an existing one keeps its mode."""
    try:
        os.makedirs(path, mode=mode, exist_ok=True)
    except OSError as error:
        raise KernelError.from_os_error("make directory", path, error) from error


def remove_file(path: str) -> None:
    """Unlink a file that may be gone already, with what a killed writer of it has left.

    An empty directory in its place goes as well.
    """
    for name in (temporary_of(path), path):
        try:
            _unlink(name)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise KernelError.from_os_error("remove", name, error) from error


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except IsADirectoryError:
        os.rmdir(path)


class Lock:
    """An exclusive flock(2) on a file of its own.

    The descriptor is close-on-exec, but a forked child shares the lock: children that outlive the lock must
    close it (``processes.close_descriptors``), or it stays held.
    """

    def __init__(self, path: str, *, timeout: float = 30.0) -> None:
        self.path = path
        self.timeout = timeout
        self._fd = -1

    @property
    def fd(self) -> int:
        """Descriptor of the locked file, -1 while it is not held."""
        return self._fd

    def acquire(self) -> None:
        """Wait for the lock up to ``timeout`` seconds; LockBusy after that."""
        deadline = time.monotonic() + self.timeout
        while not self._try():
            if time.monotonic() >= deadline:
                raise LockBusy("lock", self.path, 11)
            time.sleep(_LOCK_POLL_SECONDS)

    def _try(self) -> bool:
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise KernelError.from_os_error("lock", self.path, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        if not _same_file(fd, self.path):
            os.close(fd)
            return False
        self._fd = fd
        return True

    def release(self) -> None:
        """Give the lock back; a lock that is not held is no error."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        """Remove the file of a lock that we hold: whoever waits for it makes a new one."""
        remove_file(self.path)

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _same_file(fd: int, path: str) -> bool:
    """Whether the path still names the file that we locked: its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def closing(fd: int) -> Iterator[int]:
    """Close a descriptor at the end of a block."""
    try:
        yield fd
    finally:
        os.close(fd)
