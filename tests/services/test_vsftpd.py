# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""vsftpd as docs/services/vsftpd.md has it, used by curl."""

from __future__ import annotations

import ftplib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.integration.jails import Jail, wait_until
from ansible_collections.hosting.jails.tests.services import inside, pages

PAGE = pages.Page("vsftpd")
ADDRESS, PASSWORD = "10.36.0.5", "one-Two-3"
DATA = Path("/srv/jails/ftp/data")
ALICE = ("--user", f"alice:{PASSWORD}")


@pytest.fixture(scope="module")
def ftp(machine: int) -> Iterator[Jail]:
    with pages.serving(PAGE, machine, alice_password=PASSWORD) as jail:
        (DATA / "srv/ftp/welcome").write_text("welcome\n")
        yield jail


def curl(path: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["curl", "--silent", "--show-error", "--max-time", "10", *options, f"ftp://{ADDRESS}/{path}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def fetched(path: str, *options: str) -> str:
    done = curl(path, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_anybody_downloads_in_passive_mode(ftp: Jail) -> None:
    assert fetched("welcome") == "welcome\n"
    assert fetched("", "--list-only").split() == ["incoming", "welcome"]


def test_anybody_uploads_where_that_is_meant(ftp: Jail, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    sent.write_bytes(os.urandom(1 << 20))
    fetched("incoming/", "--upload-file", str(sent))
    assert (DATA / "srv/ftp/incoming/sent").read_bytes() == sent.read_bytes()
    assert "553" in curl("", "--upload-file", str(sent), "--verbose").stderr


def test_a_user_sees_a_directory_of_his_own_and_nothing_else(ftp: Jail, tmp_path: Path) -> None:
    sent = tmp_path / "mine"
    sent.write_text("mine\n")
    fetched("", *ALICE, "--upload-file", str(sent))
    assert fetched("mine", *ALICE) == "mine\n"
    assert "mine" in fetched("/", *ALICE, "--list-only").split()
    assert curl("/etc/passwd", *ALICE).returncode != 0
    assert curl("/../../etc/passwd", *ALICE, "--path-as-is").returncode != 0
    assert (DATA / "home/alice/mine").read_text() == "mine\n"


def test_a_wrong_password_is_refused(ftp: Jail) -> None:
    assert "530" in curl("", "--user", "alice:wrong", "--verbose").stderr


def session() -> Any:
    made = ftplib.FTP(ADDRESS, timeout=10)
    made.login("alice", PASSWORD)
    return made


def test_who_is_served_is_in_a_directory_of_his_own_and_has_no_capability(ftp: Jail) -> None:
    base, alice = int(ftp.describe()["uid_base"]), int(ftp.output("id", "-u", "alice"))
    with session():
        processes = inside.of(ftp, "vsftpd").items()
        ((pid, status),) = [(pid, it) for pid, it in processes if it["Uid"].split()[0] == str(base + alice)]
        assert "mine" in os.listdir(f"/proc/{pid}/root")
        assert int(status["CapPrm"], 16) == 0


def namespaces_of(jail: Jail) -> dict[str, set[str]]:
    """The namespaces that its processes are in, by kind."""
    kinds = ("pid", "net", "ipc")
    return {kind: {os.readlink(f"/proc/{pid}/ns/{kind}") for pid in inside.of(jail, "vsftpd")} for kind in kinds}


def test_its_own_namespaces_are_done_without_where_the_jail_may_make_none(ftp: Jail) -> None:
    with session():
        assert {kind: len(found) for kind, found in namespaces_of(ftp).items()} == {"pid": 1, "net": 1, "ipc": 1}


def test_its_own_namespaces_are_made_where_the_jail_may(ftp: Jail) -> None:
    keep = [*PAGE.document["caps"]["keep"], "SYS_ADMIN"]
    with pages.changed(ftp, caps={"profile": "none", "keep": keep}):
        wait_until(lambda: curl("welcome").returncode == 0)
        with session():
            assert {kind for kind, found in namespaces_of(ftp).items() if len(found) > 1} == {"ipc", "net"}


@pytest.mark.parametrize("seccomp", ["default", "none"])
def test_its_own_filter_breaks_it_with_and_without_ours(ftp: Jail, seccomp: str) -> None:
    configuration = Path("/srv/jails/ftp/files/etc/vsftpd.conf")
    before = configuration.read_text()
    try:
        configuration.write_text(f"{before}seccomp_sandbox=YES\n")
        with pages.changed(ftp, caps={**PAGE.document["caps"], "seccomp": seccomp}):
            ftp.converge(state="restarted")
            assert wait_until(lambda: curl("welcome").returncode) != 7
            assert curl("welcome").returncode != 0
    finally:
        configuration.write_text(before)
        ftp.converge(state="restarted")
    wait_until(lambda: curl("welcome").returncode == 0)


@pytest.mark.parametrize("capability", PAGE.document["caps"]["keep"])
def test_it_needs_every_capability_that_its_page_keeps(ftp: Jail, capability: str) -> None:
    def serve() -> None:
        wait_until(lambda: curl("", *ALICE).returncode != 7, timeout=3)
        fetched("mine", *ALICE)
        ftp.script("useradd --create-home bob; userdel --remove bob")

    assert not pages.serves_without(ftp, capability, serve)
