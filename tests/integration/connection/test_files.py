# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files on their way into a jail and out of it, whatever they are called and whatever the jail's root has prepared."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.tests.integration.connection.talk import Raised, Speaker, Variables
from ansible_collections.hosting.jails.tests.integration.jails import Jail

Connect = Callable[[Variables], Speaker]

MEBIBYTE = 1 << 20
LARGE = 96 * MEBIBYTE
NAMES = [
    "plain",
    "Ünïcödé 汉语",
    "with several  spaces ",
    'it\'s "quoted"',
    "-rf",
    "--help",
    "$HOME `id` $(id) \\n \\",
    "a\nb",
    "*?[a]{b,c}",
    "#;&|<>()!~",
    "\udcff\udcfe not UTF-8",
]


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "ours"
    path.write_bytes(bytes(range(256)) * 300)
    return path


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_file_of_any_name_goes_in_and_comes_back(talk: Speaker, it: Jail, ours: Path, name: str) -> None:
    it.script("rm -rf /names; mkdir /names")
    talk.put(ours, f"/names/{name}")
    assert os.fsencode(it.run("ls", "-N", "/names", text=False).stdout.decode(errors="surrogateescape")) == (
        os.fsencode(f"{name}\n")
    )
    back = ours.with_name("back")
    talk.fetch(f"/names/{name}", back)
    assert back.read_bytes() == ours.read_bytes()


@pytest.mark.parametrize("name", NAMES[:-1], ids=ascii)
def test_a_file_of_any_name_of_ours_will_do(talk: Speaker, it: Jail, ours: Path, name: str) -> None:
    source = ours.rename(ours.with_name(name))
    talk.put(source, "/root/any")
    talk.fetch("/root/any", source.with_name(f"{name}.back"))
    assert source.with_name(f"{name}.back").read_bytes() == source.read_bytes()


def test_a_path_may_begin_at_home(talk: Speaker, it: Jail, ours: Path) -> None:
    """As over plain ssh: there is no other current directory."""
    talk.put(ours, "relative")
    assert it.output("stat", "-c", "%s", "/root/relative") == f"{ours.stat().st_size}\n"


def test_an_empty_file_is_one(talk: Speaker, it: Jail, ours: Path) -> None:
    ours.write_bytes(b"")
    it.script("echo full >/root/empty")
    talk.put(ours, "/root/empty")
    assert it.output("stat", "-c", "%s %F", "/root/empty") == "0 regular empty file\n"
    back = ours.with_name("back")
    back.write_bytes(b"full")
    talk.fetch("/root/empty", back)
    assert back.read_bytes() == b""


def test_nobody_else_reads_a_file_that_is_new(talk: Speaker, it: Jail, ours: Path) -> None:
    it.script("rm -f /root/new; echo old >/root/known; chmod 640 /root/known")
    ours.chmod(0o644)
    talk.put(ours, "/root/new")
    talk.put(ours, "/root/known")
    assert it.output("stat", "-c", "%a %U", "/root/new", "/root/known") == "600 root\n640 root\n"


def test_a_file_belongs_to_who_runs_the_tasks(way: Variables, it: Jail, speakers: Connect, ours: Path) -> None:
    talk = speakers({**way, "inventory_hostname": it.name, "ansible_jail_user": "www-data"})
    it.script("rm -f /tmp/theirs")
    talk.put(ours, "/tmp/theirs")
    assert it.output("stat", "-c", "%U %G", "/tmp/theirs") == "www-data www-data\n"
    with pytest.raises(Raised) as caught:
        talk.put(ours, "/etc/theirs")
    assert caught.value.kind == "AnsibleError"
    assert "Permission denied" in caught.value.message


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("large") / "file"
    with path.open("wb") as file:
        block = os.urandom(MEBIBYTE)
        for number in range(LARGE // MEBIBYTE):
            file.write(number.to_bytes(4, "big") + block[4:])
    yield path
    path.unlink()


def test_a_large_file_does_not_pass_through_memory(talk: Speaker, it: Jail, large: Path) -> None:
    before = talk.memory()
    talk.put(large, "/root/large")
    back = large.with_name("back")
    talk.fetch("/root/large", back)
    assert talk.memory() - before < 32 * MEBIBYTE
    try:
        assert _digest(back) == _digest(large)
    finally:
        back.unlink()
        it.script("rm /root/large")


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(MEBIBYTE):
            digest.update(block)
    return digest.digest()


@pytest.mark.parametrize(
    ("theirs", "words"),
    [("/no/such/file", "No such file"), ("/root", "Is a directory"), ("/proc/1/mem", "")],
)
def test_what_cannot_be_fetched_is_told(talk: Speaker, it: Jail, tmp_path: Path, theirs: str, words: str) -> None:
    back = tmp_path / "back"
    with pytest.raises(Raised) as caught:
        talk.fetch(theirs, back)
    assert caught.value.kind == "AnsibleError"
    assert words in caught.value.message
    assert f"jail {it.name}" in caught.value.message
    assert not back.exists()


@pytest.mark.parametrize(
    ("theirs", "words"),
    [("/no/such/file", "nonexistent"), ("/root", "Is a directory"), ("/dev/full", "No space left")],
)
def test_what_cannot_be_put_is_told(talk: Speaker, ours: Path, theirs: str, words: str) -> None:
    with pytest.raises(Raised) as caught:
        talk.put(ours, theirs)
    assert caught.value.kind == "AnsibleError"
    assert words in caught.value.message


def test_a_file_of_ours_that_is_not_there_is_told(talk: Speaker, tmp_path: Path) -> None:
    with pytest.raises(Raised) as caught:
        talk.put(tmp_path / "none", "/root/none")
    assert caught.value.kind == "AnsibleFileNotFound"


# Links by which the jail's root would lead a transfer elsewhere; {host} is a directory of the host's.
TRAPS = [
    "ln -s {host} /trap",
    "ln -s ../../../../../../../..{host} /trap",
    "ln -s /proc/1/root{host} /trap",
    "ln -s /proc/self/cwd{host} /trap",
    "mkdir -p {host}; ln -s /proc/self/root{host} /trap",
    "mkdir -p {host}; mv {host} {host}.real; ln -s {host}.real {host}; ln -s {host} /trap",
]


@pytest.mark.parametrize("trap", TRAPS)
def test_no_link_leads_a_transfer_out_of_the_jail(talk: Speaker, it: Jail, host_directory: Path, trap: str) -> None:
    """Where such a path is there in the jail as well, the transfer ends there; otherwise nowhere."""
    it.script("rm -rf /trap; " + trap.format(host=host_directory))
    source = host_directory / "mine"
    source.write_text("ours\n")
    for theirs in ("/trap/planted", "/trap/secret"):
        try:
            talk.put(source, theirs)
        except Raised as error:
            assert "nonexistent" in error.message
    assert sorted(os.listdir(host_directory)) == ["mine", "secret"]
    assert (host_directory / "secret").read_text() == "the host's\n"
    back = host_directory / "back"
    try:
        talk.fetch("/trap/secret", back)
    except Raised:
        assert not back.exists()
    else:
        assert back.read_text() == "ours\n"


def test_no_file_that_is_a_link_leads_a_transfer_out(talk: Speaker, it: Jail, host_directory: Path) -> None:
    secret = host_directory / "secret"
    it.script(f"rm -rf {host_directory}; mkdir -p {host_directory}; ln -sfn {secret} /trap-file")
    source = host_directory / "mine"
    source.write_text("ours\n")
    talk.put(source, "/trap-file")
    assert secret.read_text() == "the host's\n"
    assert it.output("cat", str(secret)) == "ours\n"


def test_links_that_change_all_the_time_lead_nothing_out(talk: Speaker, it: Jail, host_directory: Path) -> None:
    """A race that a transfer by way of the host would lose sooner or later."""
    swap = f"while :; do ln -sfn {host_directory} /race; ln -sfn /root /race; done"
    it.script(f"rm -rf /race {host_directory}; ({swap}) </dev/null >/dev/null 2>&1 & echo $! >/root/swapper")
    source = host_directory / "mine"
    source.write_text("ours\n")
    try:
        for number in range(15):
            try:
                talk.put(source, f"/race/planted{number}")
                talk.fetch("/race/secret", host_directory / "back")
            except Raised:
                continue
    finally:
        it.script("kill -9 $(cat /root/swapper)")
    assert sorted(set(os.listdir(host_directory)) - {"back"}) == ["mine", "secret"]
    assert it.output("sh", "-c", "ls /root | grep -c planted") != "0\n"
