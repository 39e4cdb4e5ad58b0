# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A ceiling as a jail's init gets it: in a child, as root of a user namespace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.ceiling import Ceiling, impose
from ansible_collections.hosting.jails.plugins.module_utils._engine.privileges import compile_ceiling
from ansible_collections.hosting.jails.tests.integration.kernel.jailed import (
    ID_BASE,
    in_user_namespace,
    prctl,
    status,
    status_after_exec,
)

PR_GET_DUMPABLE = 3
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
NOTHING = "0" * 16


def ceiling(**document: Any) -> Ceiling:
    return compile_ceiling({"name": "web1", **document}, architecture=os.uname().machine)


DOCUMENTS: dict[str, dict[str, Any]] = {
    "none": {"caps": {"profile": "none"}},
    "service": {},
    "service without no_new_privileges": {"caps": {"no_new_privileges": False}},
    "service without a filter": {"caps": {"seccomp": "none"}},
    "service with and without": {"caps": {"keep": ["NET_RAW"], "drop": ["CHOWN"]}},
    "vps": {"init": "system"},
    "vps with no_new_privileges": {"init": "system", "caps": {"no_new_privileges": True}},
}
all_documents = pytest.mark.parametrize("document", list(DOCUMENTS.values()), ids=list(DOCUMENTS))


def after_exec(document: dict[str, Any], *, uid: int = 0, gid: int = 0, groups: tuple[int, ...] = ()) -> dict[str, str]:
    imposed = ceiling(**document)
    fields: dict[str, str] = in_user_namespace(
        lambda: status_after_exec(lambda: impose(imposed, uid=uid, gid=gid, groups=groups))
    )
    return fields


@all_documents
def test_root_has_the_keep_list_after_exec_and_nothing_else(document: dict[str, Any]) -> None:
    fields = after_exec(document)
    kept = f"{sum(1 << number for number in ceiling(**document).bounding):016x}"
    assert [fields[name] for name in SETS] == [NOTHING, kept, kept, kept, NOTHING]


@all_documents
def test_other_users_have_nothing_after_exec(document: dict[str, Any]) -> None:
    fields = after_exec(document, uid=1000, gid=1001, groups=(5, 44))
    kept = f"{sum(1 << number for number in ceiling(**document).bounding):016x}"
    assert [fields[name] for name in SETS] == [NOTHING, NOTHING, NOTHING, kept, NOTHING]
    # Seen from the same user namespace.
    assert fields["Uid"].split() == ["1000"] * 4
    assert fields["Gid"].split() == ["1001"] * 4
    assert fields["Groups"].split() == ["5", "44"]


@all_documents
@pytest.mark.parametrize("uid", [0, 1000])
def test_the_filter_and_no_new_privileges_are_as_compiled(document: dict[str, Any], uid: int) -> None:
    fields = after_exec(document, uid=uid)
    assert (fields["Seccomp"] == "2") is bool(ceiling(**document).seccomp)
    assert (fields["NoNewPrivs"] == "1") is ceiling(**document).no_new_privileges


@all_documents
@pytest.mark.parametrize("uid", [0, 1000])
def test_before_exec_nobody_in_the_jail_can_look_into_the_process(document: dict[str, Any], uid: int) -> None:
    imposed = ceiling(**document)

    def dumpable() -> list[int | str]:
        impose(imposed, uid=uid, gid=uid, groups=())
        return [prctl(PR_GET_DUMPABLE)]

    assert in_user_namespace(dumpable) == [0]


@all_documents
def test_before_exec_root_has_the_keep_list_already(document: dict[str, Any]) -> None:
    imposed = ceiling(**document)

    def effective() -> int:
        impose(imposed, uid=0, gid=0, groups=())
        return int(status()["CapEff"], 16)

    assert in_user_namespace(effective) == sum(1 << number for number in imposed.bounding)


def test_a_stored_ceiling_is_as_good_as_a_new_one() -> None:
    stored = Ceiling.from_json(ceiling().to_json())
    assert (
        in_user_namespace(lambda: status_after_exec(lambda: impose(stored, uid=0, gid=0, groups=()))["Seccomp"]) == "2"
    )


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that every user may read and write."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


class TestSetUserIdProgram:
    """A copy of id(1) that belongs to the jail's root and has its set-user-id bit."""

    @pytest.fixture
    def program(self, shared: Path) -> Path:
        path = shared / "id"
        shutil.copy("/usr/bin/id", path)
        os.chown(path, ID_BASE, ID_BASE)
        path.chmod(0o4755)
        if os.statvfs(path).f_flag & os.ST_NOSUID:
            pytest.skip("the directory for temporary files is mounted nosuid")
        return path

    @staticmethod
    def effective_user(program: Path, document: dict[str, Any]) -> str:
        imposed = ceiling(**document)

        def run() -> str:
            impose(imposed, uid=1000, gid=1000, groups=())
            return subprocess.run([program, "-u"], check=True, capture_output=True, text=True).stdout.strip()

        user: str = in_user_namespace(run)
        return user

    def test_gives_nothing_in_a_service_jail(self, program: Path) -> None:
        assert self.effective_user(program, {}) == "1000"

    def test_gives_root_in_a_system_jail(self, program: Path) -> None:
        assert self.effective_user(program, {"init": "system"}) == "0"


def test_a_file_capability_past_the_keep_list_gives_nothing(shared: Path) -> None:
    """The jail's root writes a file capability on a copy of cat(1): exec fails, for the bounding set has none of it."""
    program = shared / "cat"
    shutil.copy("/bin/cat", program)
    os.chown(program, ID_BASE, ID_BASE)
    program.chmod(0o755)
    net_admin = 12
    version_2_effective = 0x02000001
    words = (version_2_effective, 1 << net_admin, 0, 0, 0)
    attribute = b"".join(word.to_bytes(4, "little") for word in words)
    imposed = ceiling(caps={"no_new_privileges": False})

    def run() -> str:
        impose(imposed, uid=0, gid=0, groups=())
        os.setxattr(program, "security.capability", attribute)
        os.setresuid(1000, 1000, 1000)
        try:
            return subprocess.run(
                [program, "/proc/self/status"], check=True, capture_output=True, text=True
            ).stdout.partition("CapEff:\t")[2][:16]
        except PermissionError:
            return "refused"

    assert in_user_namespace(run) == "refused"
