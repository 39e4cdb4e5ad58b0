# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from typing import Any

from .errors import KernelError

_LOCK_POLL_SECONDS = 0.02


class DamagedFile(KernelError):
    """A file of ours that does not parse: somebody edited it, or a disk failed."""

    def __str__(self) -> str:
        return f"{self.operation} {self.target}: the file is not valid JSON"


class LockBusy(KernelError):
    """Another process holds the lock, and still held it when the time was up."""

    def __str__(self) -> str:
        return f"lock {self.target}: another process holds it"


def write_atomic(path: str, data: str | bytes, *, mode: int = 0o600, sync: bool = True) -> None:
    """Replace a file as a whole: a reader sees the old content or the new, also after a crash when ``sync``.

    Temporary file in the same directory, fsync, rename, fsync of the directory (rename(2), fsync(2)).
    """
    content = data.encode() if isinstance(data, str) else data
    directory, name = os.path.split(path)
    temporary = f"{directory}/.{name}.{os.getpid()}.tmp"
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        try:
            _write_all(fd, content)
            os.fchmod(fd, mode)
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
        if sync:
            sync_directory(directory)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise KernelError.from_os_error("write", path, error) from error


def _write_all(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def sync_directory(path: str) -> None:
    """Make renames and removals in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def canonical_json(value: Any) -> str:
    """One text for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def read_text(path: str) -> str | None:
    """Content of a small file, None where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None
    except OSError as error:
        raise KernelError.from_os_error("read", path, error) from error


def read_json(path: str) -> Any:
    """Parsed content of a JSON file, None where there is none; DamagedFile where it does not parse."""
    text = read_text(path)
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise DamagedFile("read", path, 22) from error


def write_json(path: str, value: Any, *, sync: bool = True) -> None:
    """Write a value as indented JSON with sorted keys, atomically."""
    write_atomic(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", sync=sync)


def make_directory(path: str, *, mode: int = 0o700) -> None:
    """Make a directory and its parents; an existing one keeps its mode."""
    try:
        os.makedirs(path, mode=mode, exist_ok=True)
    except OSError as error:
        raise KernelError.from_os_error("make directory", path, error) from error


def remove_file(path: str) -> None:
    """Unlink a file that may be gone already."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise KernelError.from_os_error("remove", path, error) from error


def remove_tree(path: str) -> None:
    """Remove a directory tree by descriptors: it follows no link and crosses no mount (CWE-59, CWE-367).

    What is already gone is no error. A mount inside the tree makes it fail with EXDEV before that mount's
    content is touched.
    """
    directory, name = os.path.split(path.rstrip("/"))
    try:
        parent = os.open(directory or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _remove_entry(parent, name, os.fstat(parent).st_dev)
    except OSError as error:
        raise KernelError.from_os_error("remove tree", path, error) from error
    finally:
        os.close(parent)


def _remove_entry(parent: int, name: str, device: int) -> None:
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=parent)
        return
    if status.st_dev != device:
        raise OSError(18, os.strerror(18), name)
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        for child in os.listdir(fd):
            _remove_entry(fd, child, device)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent)


class Lock:
    """An exclusive flock(2) on a file of its own.

    The descriptor is close-on-exec, but a forked child shares the lock: children that outlive the lock must
    close it (``processes.close_descriptors``), or it stays held.
    """

    def __init__(self, path: str, *, timeout: float = 30.0) -> None:
        self.path = path
        self.timeout = timeout
        self._fd = -1

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
