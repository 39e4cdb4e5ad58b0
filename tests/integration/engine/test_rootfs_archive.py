# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an archive can and cannot do to the host that unpacks it."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import archive
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError

Entry = tuple[tarfile.TarInfo, bytes]


def entry(name: str, content: bytes = b"", **attributes: object) -> Entry:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o644
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, content


def directory(name: str, **attributes: object) -> Entry:
    return entry(name, type=tarfile.DIRTYPE, **{"mode": 0o755, **attributes})


def link(name: str, target: str) -> Entry:
    return entry(name, type=tarfile.SYMTYPE, linkname=target)


def hard_link(name: str, target: str) -> Entry:
    return entry(name, type=tarfile.LNKTYPE, linkname=target)


def tar_bytes(*entries: Entry, form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Unpacker:
    """Unpacks bytes into a directory of its own, beside a file of the host that no archive may touch."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.destination = directory / "scratch" / "rootfs"
        self.canary = directory / "canary"
        self.destination.mkdir(parents=True)
        self.canary.write_text("untouched")
        self.before = self.outside()

    def outside(self) -> list[str]:
        found = []
        for parent, directories, names in os.walk(self.directory):
            if parent == str(self.destination):
                directories.clear()
                continue
            found += [f"{parent}/{name}" for name in directories + names]
        return sorted(set(found) - {f"{self.directory}/archive"})

    def unpack(self, data: bytes, *, checksum: str | None = None, shared: bool = False) -> archive.Content:
        path = self.directory / "archive"
        path.write_bytes(data)
        try:
            return archive.extract(
                str(path),
                str(self.destination),
                checksum=checksum,
                scratch=str(self.directory / "scratch"),
                shared=shared,
            )
        finally:
            assert self.canary.read_text() == "untouched"
            assert self.outside() == self.before

    def refusal(self, data: bytes) -> str:
        with pytest.raises(EngineError) as caught:
            self.unpack(data)
        assert caught.value.path == "source.archive.path"
        assert caught.value.remedy
        return str(caught.value)


@pytest.fixture
def unpacker(tmp_path: Path) -> Unpacker:
    return Unpacker(tmp_path)


HOSTILE = {
    "climbs out with ..": ([entry("../canary", b"owned")], "../canary", "climbs out"),
    "climbs out with .. in the middle": ([entry("a/../../canary", b"owned")], "a/../../canary", "climbs out"),
    "has an absolute name": ([entry("/etc/owned", b"owned")], "/etc/owned", "absolute"),
    "writes through an absolute link": ([link("out", "/tmp"), entry("out/owned", b"owned")], "out/owned", "link"),
    "writes through a relative link": ([directory("a"), link("a/b", "../c"), entry("a/b/x")], "a/b/x", "link"),
    "writes through a link to a link": ([link("a", "b"), link("b", "/"), entry("a/owned")], "a/owned", "link"),
    "replaces a directory by a link": ([directory("etc"), link("etc", "/etc")], "etc", "twice"),
    "replaces a link by a file": ([link("passwd", "/etc/passwd"), entry("passwd", b"x")], "passwd", "twice"),
    "has a link that climbs above its root": ([link("a", "../canary")], "a", "climbs out"),
    "has a link that climbs on its way": ([directory("d"), link("d/a", "../../rootfs/x")], "d/a", "climbs out"),
    "hard links a file of the host": ([hard_link("shadow", "/etc/shadow")], "shadow", "absolutely"),
    "hard links out with ..": ([hard_link("c", "../canary")], "c", "climbs out"),
    "hard links through a link": ([link("o", "/etc"), hard_link("s", "o/shadow")], "s", "link"),
    "hard links what is not there": ([hard_link("a", "b")], "a", "not in the archive"),
    "brings a block device": ([entry("dev/sda", type=tarfile.BLKTYPE, devmajor=8)], "dev/sda", "device"),
    "brings a character device": ([entry("mem", type=tarfile.CHRTYPE, devmajor=1, devminor=1)], "mem", "device"),
    "brings a usual device at an unusual place": (
        [entry("tmp/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
        "tmp/null",
        "device",
    ),
    "brings an entry of an unknown kind": ([entry("x", type=b"Z")], "x", "unknown kind"),
    "has a file twice": ([entry("a", b"1"), entry("a", b"2")], "a", "twice"),
    "has a file twice under two spellings": ([entry("d/a", b"1"), entry("./d//a", b"2")], "./d//a", "twice"),
    "puts a file below a file": ([entry("a", b"1"), entry("a/b", b"2")], "a/b", "no directory"),
    "replaces the root itself": ([link("./", "/")], "", "root directory"),
    "belongs to an id that no jail has": ([entry("a", b"1", uid=70000)], "a", "70000"),
    "nests directories without end": ([entry("/".join(["d"] * 300))], "d/d", "deep"),
    "has a name that no file system takes": ([entry("n" * 300)], "n" * 300, "too long"),
}


@pytest.mark.parametrize("claim", HOSTILE)
def test_an_archive_is_refused_by_entry_and_reason_if_it(claim: str, unpacker: Unpacker) -> None:
    entries, name, reason = HOSTILE[claim]
    text = unpacker.refusal(tar_bytes(directory("./"), *entries))
    assert name in text
    assert reason in text.lower()


def test_a_hostile_name_is_found_in_the_old_gnu_format_too(unpacker: Unpacker) -> None:
    name = "../" + "x" * 200
    assert "climbs out" in unpacker.refusal(tar_bytes(entry(name, b"x"), form=tarfile.GNU_FORMAT))


def test_a_pax_header_cannot_put_another_name_over_a_harmless_one(unpacker: Unpacker) -> None:
    assert "climbs out" in unpacker.refusal(tar_bytes(entry("harmless", b"x", pax_headers={"path": "../canary"})))


@pytest.mark.parametrize("claim", ["cut short", "not a tar", "empty", "no end"])
def test_a_damaged_archive_is_refused(claim: str, unpacker: Unpacker) -> None:
    whole = tar_bytes(entry("a", b"x" * 5000), entry("b", b"y" * 5000))
    data = {"cut short": whole[:9000], "not a tar": b"x" * 20480, "empty": tar_bytes(), "no end": whole[: 512 + 5120]}
    text = unpacker.refusal(data[claim])
    assert "damaged" in text or "cut short" in text or "no entries" in text


@pytest.mark.parametrize("position", [-8, 2000])
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_archive_with_a_flipped_bit_is_refused(
    compress: Callable[[bytes], bytes], position: int, unpacker: Unpacker
) -> None:
    data = bytearray(compress(tar_bytes(entry("a", os.urandom(5000)))))
    data[position] ^= 1
    assert "damaged" in unpacker.refusal(bytes(data))


def test_a_decompression_bomb_is_refused_before_it_fills_the_disk(
    unpacker: Unpacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_SIZE", 10 << 20)
    bomb = gzip.compress(tar_bytes(entry("zeros", bytes(50 << 20))))
    assert len(bomb) < 100_000
    assert "unpacks to more than 10 MiB" in unpacker.refusal(bomb)


def test_a_sparse_bomb_is_refused(unpacker: Unpacker) -> None:
    headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "huge",
        "GNU.sparse.realsize": str(1 << 60),
    }
    block = b"1\n0\n1\n".ljust(512, b"\0")
    text = unpacker.refusal(tar_bytes(entry("GNUSparseFile.0/huge", block + b"x" * 512, pax_headers=headers)))
    assert "more than" in text


def test_a_header_bomb_is_refused_by_memory(unpacker: Unpacker) -> None:
    header = tarfile.TarInfo("x")
    header.type = tarfile.XHDTYPE
    header.size = 2 << 30
    process = gzip.compress(header.tobuf(tarfile.USTAR_FORMAT)) + gzip.compress(bytes(64 << 20)) * 32
    text = unpacker.refusal(process)
    assert "memory" in text


def test_too_many_entries_are_refused(unpacker: Unpacker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 10)
    assert "more than 10 entries" in unpacker.refusal(tar_bytes(*(entry(f"f{number}") for number in range(11))))


def test_the_checksum_is_verified_before_anything_is_unpacked(unpacker: Unpacker) -> None:
    data = tar_bytes(entry("a", b"x"))
    with pytest.raises(EngineError, match="does not have the checksum") as caught:
        unpacker.unpack(data, checksum="sha256:" + "0" * 64)
    assert caught.value.path == "source.archive.checksum"
    assert not os.listdir(unpacker.destination)
    for algorithm in ("sha256", "sha512"):
        shutil.rmtree(unpacker.destination)
        unpacker.destination.mkdir()
        checksum = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
        assert unpacker.unpack(data, checksum=checksum).checksum == checksum


@pytest.mark.parametrize("path", ["missing", "directory", "fifo"])
def test_what_is_no_file_is_refused(path: str, tmp_path: Path) -> None:
    if path == "directory":
        (tmp_path / path).mkdir()
    if path == "fifo":
        os.mkfifo(tmp_path / path)
    with pytest.raises(EngineError, match=r"cannot be opened|not a regular file") as caught:
        archive.extract(str(tmp_path / path), str(tmp_path), checksum=None, scratch=str(tmp_path), shared=False)
    assert caught.value.path == "source.archive.path"


def zstd(data: bytes) -> bytes:
    if not shutil.which("zstd"):
        pytest.skip("zstd is not installed")
    return subprocess.run(["zstd", "--stdout", "--quiet"], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd])
def test_every_form_of_compression_is_unpacked(compress: Callable[[bytes], bytes], unpacker: Unpacker) -> None:
    content = unpacker.unpack(compress(tar_bytes(directory("etc"), entry("etc/motd", b"hello" * 10000))))
    assert (unpacker.destination / "etc/motd").read_bytes() == b"hello" * 10000
    assert content.entries == 2
    assert content.size == 50000


def test_a_cut_zstd_stream_is_refused(unpacker: Unpacker) -> None:
    data = zstd(tar_bytes(entry("a", os.urandom(500_000))))
    assert "damaged or cut short" in unpacker.refusal(data[:-1000])


def test_owners_modes_times_links_and_file_capabilities_are_kept(unpacker: Unpacker) -> None:
    capability = "\x01\x00\x00\x02\x00\x20" + "\0" * 14
    unpacker.unpack(
        tar_bytes(
            directory("./", mode=0o711, mtime=1_000_000_000),
            directory("srv", mode=0o2750, uid=33, gid=33, mtime=1_000_000_001),
            entry("srv/su", b"x", mode=0o4755, mtime=1_000_000_002),
            hard_link("srv/su2", "./srv/su"),
            link("srv/abs", "/usr/bin/mawk"),
            link("srv/up", "../etc/motd"),
            entry("srv/ping", b"x", pax_headers={"SCHILY.xattr.security.capability": capability}),
            entry("srv/initctl", type=tarfile.FIFOTYPE, mode=0o620, gid=5),
        )
    )
    root = unpacker.destination
    assert stat.S_IMODE(root.stat().st_mode) == 0o711
    assert root.stat().st_mtime == 1_000_000_000
    directory_status = (root / "srv").stat()
    assert (stat.S_IMODE(directory_status.st_mode), directory_status.st_uid, directory_status.st_gid) == (
        0o2750,
        33,
        33,
    )
    assert directory_status.st_mtime == 1_000_000_001
    assert stat.S_IMODE((root / "srv/su").stat().st_mode) == 0o4755
    assert (root / "srv/su").stat().st_ino == (root / "srv/su2").stat().st_ino
    assert os.readlink(root / "srv/abs") == "/usr/bin/mawk"
    assert os.readlink(root / "srv/up") == "../etc/motd"
    assert os.getxattr(root / "srv/ping", "security.capability") == capability.encode("latin-1")
    assert stat.S_ISFIFO((root / "srv/initctl").stat().st_mode)


def test_names_that_are_no_utf8_are_kept(unpacker: Unpacker) -> None:
    name = b"caf\xe9/d\xe9j\xe0".decode("utf-8", "surrogateescape")
    unpacker.unpack(tar_bytes(entry(name, b"x"), form=tarfile.GNU_FORMAT))
    assert os.listdir(os.fsencode(unpacker.destination)) == [b"caf\xe9"]


def test_no_overlay_attribute_comes_out_of_an_archive(unpacker: Unpacker) -> None:
    headers = {"SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.user.note": "kept"}
    unpacker.unpack(tar_bytes(directory("etc", pax_headers=headers), entry("f", b"x", pax_headers=headers)))
    for name in ("etc", "f"):
        assert os.listxattr(unpacker.destination / name) == ["user.note"]


def test_the_usual_device_nodes_are_left_out(unpacker: Unpacker) -> None:
    nodes = [entry("./dev/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3), entry("./etc/motd", b"x")]
    assert unpacker.unpack(tar_bytes(*nodes)).left_out == ("./dev/null",)
    assert os.listdir(unpacker.destination / "dev") == []


def test_a_sparse_file_stays_sparse(unpacker: Unpacker, tmp_path: Path) -> None:
    """And nobody reads its holes, which would take many minutes."""
    source = tmp_path / "source"
    source.mkdir()
    with open(source / "disk", "wb") as file:
        file.truncate(24 << 30)
        file.seek(12 << 30)
        file.write(b"middle")
    data = subprocess.run(
        ["tar", "--sparse", "-C", str(source), "-cf", "-", "disk"], check=True, capture_output=True
    ).stdout
    shutil.rmtree(source)
    unpacker.unpack(data)
    status = (unpacker.destination / "disk").stat()
    assert status.st_size == 24 << 30
    assert status.st_blocks * 512 < 4 << 20
    with open(unpacker.destination / "disk", "rb") as file:
        file.seek(12 << 30)
        assert file.read(7) == b"middle\0"


def test_clones_do_not_share_an_identity(unpacker: Unpacker) -> None:
    unpacker.unpack(
        tar_bytes(entry("etc/machine-id", b"0123"), entry("etc/ssh/ssh_host_rsa_key", b"x"), entry("etc/motd", b"x")),
        shared=True,
    )
    assert (unpacker.destination / "etc/machine-id").read_bytes() == b""
    assert os.listdir(unpacker.destination / "etc/ssh") == []


def test_a_full_file_system_is_reported_as_one(private_state: None) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", "/var/lib/jails"], check=True)
    os.mkdir("/var/lib/jails/rootfs")
    with open("/run/jails/big.tar.gz", "wb") as file:
        file.write(gzip.compress(tar_bytes(entry("big", bytes(20 << 20)))))
    with pytest.raises(KernelError) as caught:
        archive.extract(
            "/run/jails/big.tar.gz", "/var/lib/jails/rootfs", checksum=None, scratch="/var/lib/jails", shared=False
        )
    assert caught.value.errno == 28
