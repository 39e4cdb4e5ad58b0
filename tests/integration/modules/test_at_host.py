# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task says the same, whether its module is sent or the engine that the host has carries it out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import install
from ansible_collections.hosting.jails.tests.integration.jails import jail
from ansible_collections.hosting.jails.tests.integration.modules.test_modules import NAME, Playbooks, Task, task

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

# Where the interpreter of modules is not there, it cannot have been a module.
NOWHERE = {"ansible_python_interpreter": "/nowhere/python3"}
LOOK = task("jail_info", names=[NAME])


@pytest.fixture
def playbooks(tmp_path: Path) -> Playbooks:
    return Playbooks(tmp_path)


@pytest.fixture
def sent(tmp_path: Path) -> Playbooks:
    """Modules are sent, as somebody wants to see them: their files are left."""
    (tmp_path / "sent").mkdir()
    runs = Playbooks(tmp_path / "sent")
    runs.environment = {"ANSIBLE_KEEP_REMOTE_FILES": "true", "ANSIBLE_REMOTE_TMP": str(tmp_path / "sent" / "files")}
    return runs


@pytest.fixture
def it() -> Iterator[None]:
    install.ensure_engine()
    with jail(NAME, state="stopped", command=["sleep", "1000"]):
        yield


def _checked(module: str, **options: Any) -> Task:
    return {**task(module, **options), "check_mode": True}


SAME = (
    {
        **_checked("jail", name=NAME, labels={"a": "b"}, environment={"PASSWORD": "hunter2", "N": 1}),
        "become": True,
        "environment": {"A": "it's b"},
    },
    {
        **_checked("jail_ip", mode="vnet", addresses="10.23.1.1/32,10.23.1.2/32"),
        "module_defaults": {"group/hosting.jails.jails": {"jail": NAME, "apply": "restart"}},
    },
    _checked("jail_caps", jail=NAME, keep=["IPC_OWNER"]),
    task("jail_info", names=[NAME], gather=["status", "network", "privileges", "document", "templates"]),
    task("jail_rootfs", jail=NAME, source={"empty": True}),
    task("jail", name=NAME, limits={"memory": "lots"}),
)


def test_a_task_says_and_does_the_same_by_the_hosts_engine(playbooks: Playbooks, sent: Playbooks, it: None) -> None:
    by_module = sent.run(*SAME)
    assert len(list((sent.directory / "files").glob("*/AnsiballZ_*"))) == len(SAME)
    change = {**task("jail", name=NAME, state="stopped", labels={"a": "{{ item }}"}), "loop": ["b", "c", "c"]}
    as_file = {**task("jail_caps", jail=NAME, profile="none"), "become": True}
    *by_engine, changed, limited = playbooks.run(
        *({**turn, "vars": NOWHERE} for turn in (*SAME, change)),
        {**as_file, "vars": {**NOWHERE, "ansible_pipelining": False}},
    )
    for each, one, other in zip(SAME, by_engine, by_module, strict=True):
        assert one == other, each
    assert [result["failed"] for result in by_engine] == [False] * 4 + [True] * 2
    assert "IPC_OWNER" in str(by_engine[2]["warnings"])
    assert not changed["failed"], changed
    assert [turn["changed"] for turn in changed["results"]] == [True, True, False]
    assert changed["results"][2]["jail"]["document"]["labels"] == {"a": "c"}
    assert (limited["changed"], limited["jail"]["document"]["caps"]) == (True, {"profile": "none"})


def test_where_the_host_has_another_engine_or_none_the_module_is_sent(playbooks: Playbooks, it: None) -> None:
    replace = f"sed -i s/{install.engine_version()}/0123456789abcdef/ {install.COMMAND}"
    try:
        _replaced, other, _removed, none = playbooks.run(
            {"ansible.builtin.raw": replace}, LOOK, {"ansible.builtin.raw": f"rm {install.COMMAND}"}, LOOK
        )
    finally:
        install.install()
    assert [result["jails"][0]["name"] for result in (other, none)] == [NAME] * 2
