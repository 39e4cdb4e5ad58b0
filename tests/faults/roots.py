# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A root file system of a few megabytes, from the machine's own programs: made in a moment, without a mirror."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from functools import lru_cache
from typing import Any, BinaryIO

from ansible_collections.hosting.jails.plugins.module_utils._kernel import files
from ansible_collections.hosting.jails.tests.faults.machine import BUILD

PROGRAMS = ("sh", "sleep", "cat", "mkdir", "kill", "true", "echo", "env")
# It ends on SIGRTMIN+3, as systemd does.
_INIT = """#!/bin/sh
trap 'exit 0' 37
while true; do
  sleep 1000 &
  wait $!
done
"""


@lru_cache(maxsize=1)
def archive() -> str:
    """Path of a tar file with a shell and a handful of programs."""
    path = str(BUILD / "faults-root.tar")
    BUILD.mkdir(exist_ok=True)
    with files.Lock(files.temporary_of(path)) as lock:
        with open(lock.fd, "wb", closefd=False) as file:
            file.truncate()
            _write(file)
        os.fchmod(lock.fd, 0o644)
        os.rename(files.temporary_of(path), path)
    return path


def _write(archive: BinaryIO) -> None:
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        for directory in ("etc", "tmp", "proc", "sys", "dev", "run", "usr/bin", "usr/sbin", "root", "var"):
            _add_directory(tar, directory)
        for link in ("bin", "sbin", "lib", "lib64"):
            _add_link(tar, link, f"usr/{link}")
        for file in sorted(_files()):
            tar.add(os.path.realpath(file), _place(file), recursive=False)
        _add_text(tar, "usr/sbin/init", _INIT, mode=0o755)
        _add_text(tar, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        _add_text(tar, "etc/group", "root:x:0:\n")
        _add_text(tar, "etc/not-executable", "no program\n")
        _add_text(tar, "usr/bin/no-interpreter", "#!/usr/bin/perl6\n", mode=0o755)
        _add_text(tar, "usr/bin/wrong-machine", _foreign_program(), mode=0o755)
        _add_text(tar, "usr/bin/no-loader", _program_with_loader("/lib/ld-gone.so.9"), mode=0o755)


def source() -> dict[str, Any]:
    """It as a source of a template or of a jail's own root."""
    return {"archive": {"path": archive()}}


def _files() -> set[str]:
    found = set()
    for name in PROGRAMS:
        program = shutil.which(name)
        assert program, f"this machine has no {name}"
        found.add(f"/usr/bin/{name}" if os.path.exists(f"/usr/bin/{name}") else program)
        listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        found.update(word for word in listing.split() if word.startswith("/"))
    return found


def _place(file: str) -> str:
    """Where a file goes in a root whose /bin and /lib are links into /usr."""
    return file.lstrip("/") if file.startswith("/usr/") else f"usr{file}"


def _add_directory(tar: tarfile.TarFile, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
    tar.addfile(info)


def _add_link(tar: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    tar.addfile(info)


def _add_text(tar: tarfile.TarFile, name: str, content: str | bytes, *, mode: int = 0o644) -> None:
    data = content.encode() if isinstance(content, str) else content
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))


def _foreign_program() -> bytes:
    """A program for a processor that this is not: field e_machine of elf(5) changed to EM_S390."""
    with open(os.path.realpath("/bin/true"), "rb") as file:
        data = bytearray(file.read())
    data[18:20] = (22).to_bytes(2, "little")
    return bytes(data)


def _program_with_loader(loader: str) -> bytes:
    """A program whose PT_INTERP names a loader that is nowhere: execve(2) says ENOENT of the program itself."""
    with open(os.path.realpath("/bin/true"), "rb") as file:
        data = file.read()
    start = data.index(b"/lib64/ld-linux" if b"/lib64/ld-linux" in data else b"/lib/ld-linux")
    end = data.index(b"\0", start)
    return data[:start] + loader.encode().ljust(end - start, b"\0") + data[end:]
