# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import errno
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from ..._kernel.errors import KernelError
from . import decompression
from .decompression import Readable

_IDS = 65536
_CHUNK = 1 << 20
_BLOCK = 512
_DEEPEST = 256
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# The nodes that debootstrap and friends put into /dev. A jail's /dev is the engine's own, so they are left out.
_USUAL_NODES = frozenset((1, minor) for minor in (3, 5, 7, 8, 9)) | frozenset((5, minor) for minor in (0, 1, 2))
_XATTR = "SCHILY.xattr."


class Refused(Exception):
    """An archive that is not unpacked any further: which entry is to blame, and why."""

    def __init__(self, entry: str, reason: str) -> None:
        super().__init__(entry, reason)
        self.entry = entry
        self.reason = reason


@dataclass(frozen=True)
class Limits:
    """The largest sum of file sizes in bytes, and the largest number of entries, that an archive may have."""

    size: int
    entries: int


@dataclass
class Totals:
    """What has been unpacked so far."""

    entries: int = 0
    size: int = 0
    left_out: list[str] = field(default_factory=list)


class Counted:
    """A stream that ends with Refused once it has given more than an archive within the limits can have.

    ``ended`` tells whether the last block was one of zeros, as the end of a tar archive has to be.
    """

    def __init__(self, stream: Readable, limits: Limits) -> None:
        self._stream = stream
        self._left = limits.size + limits.entries * 4 * _BLOCK
        self._tail = b""

    def read(self, size: int = _CHUNK) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise Refused("", "it decompresses to more than the limit")
        self._tail = (self._tail + data)[-_BLOCK:]
        return data

    def drain(self) -> None:
        """Read to the end, which also verifies the checksum of a compressed stream."""
        while self.read():
            pass

    @property
    def ended(self) -> bool:
        return self._tail == bytes(_BLOCK)


def unpack(stream: Readable, root: int, limits: Limits) -> Totals:
    """Unpack a tar stream below a directory descriptor; raises Refused for the first entry that must not be.

    Entries are trusted in nothing: names and hard links stay beneath the root, no link is followed on the way to
    them, files are made new (O_EXCL), ids are a jail's, and there are no devices.
    Symbolic links are data, as the jail resolves them in its own root: an absolute target is what
    /etc/alternatives is made of. One that climbs above its root is refused, for it is never meant well.
    """
    counted = Counted(stream, limits)
    unpacker = _Unpacker(root, limits)
    try:
        with tarfile.open(fileobj=counted, mode="r|", errorlevel=2, errors="surrogateescape") as archive:  # type: ignore[call-overload]
            for member in _members(archive):
                unpacker.add(archive, member)
            unpacker.finish()
        counted.drain()
    except MemoryError as error:
        raise Refused(unpacker.entry, "its headers need more memory than any honest archive") from error
    except OSError as error:
        # gzip and bz2 report damaged data as an OSError that no system call has made.
        if error.errno is not None:
            raise KernelError.from_os_error("read", "the archive", error) from error
        raise Refused(unpacker.entry, f"the archive is damaged ({error})") from error
    except (*decompression.DAMAGE, tarfile.TarError, ValueError, ArithmeticError) as error:
        raise Refused(unpacker.entry, f"the archive is damaged or cut short ({error})") from error
    if not unpacker.totals.entries:
        raise Refused("", "it holds no entries")
    if not counted.ended:
        raise Refused(unpacker.entry, "the archive is cut short: its end is missing")
    return unpacker.totals


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """One after the other, without the list of all of them that TarFile keeps."""
    while True:
        member = archive.next()
        if member is None:
            return
        yield member
        archive.members = []  # type: ignore[attr-defined]


class _Unpacker:
    def __init__(self, root: int, limits: Limits) -> None:
        self.root = root
        self.limits = limits
        self.totals = Totals()
        self.entry = ""
        self.directory_times: dict[tuple[str, ...], int] = {}

    def add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Make one entry; KernelError for what the file system refuses (full, say)."""
        self.entry = _shown(member.name)
        self._check(member)
        parts = self._parts(member.name)
        if not parts:
            self._take_attributes_of_root(member)
            return
        try:
            with self._directory(parts[:-1], make=True) as parent:
                self._make(archive, member, parent, parts)
        except FileExistsError as error:
            raise Refused(self.entry, "it is in the archive twice") from error
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.ENOTDIR, errno.ELOOP):
                raise Refused(self.entry, f"it cannot be made ({os.strerror(error.errno)})") from error
            raise KernelError.from_os_error("unpack", self.entry, error) from error

    def finish(self) -> None:
        """Times of directories, which every entry made in them has changed."""
        for path, mtime in self.directory_times.items():
            with self._directory(list(path), make=False) as fd:
                os.utime(fd, (mtime, mtime))

    def _check(self, member: tarfile.TarInfo) -> None:
        self.totals.entries += 1
        if self.totals.entries > self.limits.entries:
            raise Refused(self.entry, f"the archive has more than {self.limits.entries} entries")
        if member.size < 0 or member.isreg() and self.totals.size + member.size > self.limits.size:
            raise Refused(self.entry, f"the archive unpacks to more than {self.limits.size // 2**20} MiB")
        if not (0 <= member.uid < _IDS and 0 <= member.gid < _IDS):
            raise Refused(self.entry, f"its owner {member.uid}:{member.gid} is none that a jail has (0 to {_IDS - 1})")

    def _parts(self, name: str) -> list[str]:
        if name.startswith("/"):
            raise Refused(self.entry, "its name is absolute")
        parts = _parts_of(name)
        if ".." in parts:
            raise Refused(self.entry, "its name climbs out with ..")
        if len(parts) > _DEEPEST:
            raise Refused(self.entry[:80] + "...", f"it is more than {_DEEPEST} directories deep")
        return parts

    def _make(self, archive: tarfile.TarFile, member: tarfile.TarInfo, parent: int, parts: list[str]) -> None:
        name = parts[-1]
        if member.isdir():
            self._make_directory(member, parent, parts)
        elif member.isreg():
            self._make_file(archive, member, parent, name)
        elif member.issym():
            self._make_link(member, parent, parts)
        elif member.islnk():
            self._make_hard_link(member, parent, name)
        elif member.isfifo():
            os.mkfifo(name, 0o600, dir_fd=parent)
            _take_attributes_at(member, parent, name)
        else:
            self._leave_out(member, parts)

    def _make_directory(self, member: tarfile.TarInfo, parent: int, parts: list[str]) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(parts[-1], 0o700, dir_fd=parent)
        with self._directory(parts, make=False) as fd:
            _take_attributes(member, fd)
        self.directory_times[tuple(parts)] = int(member.mtime)

    def _make_file(self, archive: tarfile.TarFile, member: tarfile.TarInfo, parent: int, name: str) -> None:
        content = archive.extractfile(member)
        if content is None:
            raise Refused(self.entry, "it has no content")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=parent)
        try:
            # Only what the archive holds of a sparse file: a kilobyte of it may stand for hours of holes.
            pieces: Any = member.sparse  # Offsets and sizes.
            for offset, size in pieces if member.issparse() else [(0, member.size)]:
                # The buffer above cannot seek in a stream; what is below it reads nothing of holes.
                content.raw.seek(offset)  # type: ignore[attr-defined]
                os.lseek(fd, offset, os.SEEK_SET)
                self._copy(content.raw, fd, size)  # type: ignore[attr-defined]
            os.ftruncate(fd, member.size)
            _take_attributes(member, fd)
            os.utime(fd, (member.mtime, member.mtime))
        finally:
            os.close(fd)
        self.totals.size += member.size

    def _copy(self, content: IO[bytes], fd: int, left: int) -> None:
        while left > 0:
            data = content.read(min(left, _CHUNK))
            if not data:
                raise Refused(self.entry, "the archive is cut short in the middle of it")
            left -= len(data)
            _write(fd, data)

    def _make_link(self, member: tarfile.TarInfo, parent: int, parts: list[str]) -> None:
        if not member.linkname:
            raise Refused(self.entry, "it is a link to nothing")
        if _climbs_out(member.linkname, depth=len(parts) - 1):
            raise Refused(self.entry, f"its target {_shown(member.linkname)} climbs out with ..")
        os.symlink(member.linkname, parts[-1], dir_fd=parent)
        os.chown(parts[-1], member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
        os.utime(parts[-1], (member.mtime, member.mtime), dir_fd=parent, follow_symlinks=False)

    def _make_hard_link(self, member: tarfile.TarInfo, parent: int, name: str) -> None:
        if member.linkname.startswith("/"):
            raise Refused(self.entry, f"the file {_shown(member.linkname)} that it links to is named absolutely")
        parts = _parts_of(member.linkname)
        if not parts or ".." in parts:
            raise Refused(self.entry, f"the file {_shown(member.linkname)} that it links to climbs out with ..")
        with self._directory(parts[:-1], make=False) as source:
            try:
                os.link(parts[-1], name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
            except (FileNotFoundError, PermissionError) as error:
                raise Refused(
                    self.entry, f"the file {_shown(member.linkname)} that it links to is not in the archive"
                ) from error

    def _leave_out(self, member: tarfile.TarInfo, parts: list[str]) -> None:
        usual = member.ischr() and (member.devmajor, member.devminor) in _USUAL_NODES
        if not (usual and parts[0] == "dev"):
            raise Refused(self.entry, "it is a device or of an unknown kind, which no jail gets from an archive")
        self.totals.left_out.append(self.entry)

    def _take_attributes_of_root(self, member: tarfile.TarInfo) -> None:
        if not member.isdir():
            raise Refused(self.entry, "it replaces the root directory itself")
        _take_attributes(member, self.root)
        self.directory_times[()] = int(member.mtime)

    @contextlib.contextmanager
    def _directory(self, parts: list[str], *, make: bool) -> Iterator[int]:
        """Descriptor of a directory beneath the root; what is missing on the way is made, as GNU tar does.

        Step by step and never through a link: no link of the archive decides where another entry is written.
        """
        fd = os.dup(self.root)
        try:
            for part in parts:
                child = self._step(fd, part, make=make)
                os.close(fd)
                fd = child
            yield fd
        finally:
            os.close(fd)

    def _step(self, parent: int, name: str, *, make: bool) -> int:
        try:
            return os.open(name, _DIRECTORY, dir_fd=parent)
        except FileNotFoundError as error:
            if not make:
                raise Refused(self.entry, f"there is no directory {_shown(name)} in the archive") from error
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            raise Refused(self.entry, f"{_shown(name)}, which is on its way, is a link or no directory") from error
        os.mkdir(name, 0o755, dir_fd=parent)
        return os.open(name, _DIRECTORY, dir_fd=parent)


def _shown(name: str) -> str:
    """A name as a message can carry it: bytes that are no UTF-8 and control characters are escaped."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _parts_of(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _climbs_out(target: str, *, depth: int) -> bool:
    """Whether a relative link at ``depth`` directories below the root leads above the root on its way."""
    if target.startswith("/"):
        return False
    for part in _parts_of(target):
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _take_attributes(member: tarfile.TarInfo, fd: int) -> None:
    """Owner first: chown(2) clears the set-user-id bits and the file capabilities."""
    os.fchown(fd, member.uid, member.gid)
    os.fchmod(fd, member.mode & 0o7777)
    for name, value in member.pax_headers.items():
        attribute = name[len(_XATTR) :]
        # No trusted.overlay.*, which would redirect the overlay on top of this tree, and no label of another host.
        if name.startswith(_XATTR) and (attribute == "security.capability" or attribute.startswith("user.")):
            os.setxattr(fd, attribute, value.encode("utf-8", "surrogateescape"))


def _take_attributes_at(member: tarfile.TarInfo, parent: int, name: str) -> None:
    os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
    os.chmod(name, member.mode & 0o7777, dir_fd=parent)
