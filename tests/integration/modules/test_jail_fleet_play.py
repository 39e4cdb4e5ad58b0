# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""jail_fleet as playbooks use it: through Ansible, with results that stay small and tell no secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import install
from ansible_collections.hosting.jails.tests.integration.modules.fleets import (
    DEFAULTS,
    FLEET,
    PREFIX,
    SLEEP,
    jail,
    member,
    names,
)
from ansible_collections.hosting.jails.tests.integration.modules.test_modules import Playbooks

pytestmark = pytest.mark.usefixtures("no_jails")

SECRET = {"DB_PASSWORD": "hunter2"}


@pytest.fixture
def playbooks(tmp_path: Path) -> Playbooks:
    return Playbooks(tmp_path)


def task(*entries: dict[str, Any], check: bool = False, **options: Any) -> dict[str, Any]:
    whole = {"fleet": FLEET, "defaults": DEFAULTS, "jails": list(entries), **options}
    return {"hosting.jails.jail_fleet": whole, "check_mode": check}


def test_check_run_check_run(playbooks: Playbooks) -> None:
    entries = [member("a", 1, environment=SECRET), member("b[1:2]", depends=[f"{PREFIX}a"])]
    turns = [task(*entries, check=check, verbose_results=True) for check in (True, False, True, False)]
    foreseen, made, left, again = playbooks.run(*turns)
    assert [turn["changed"] for turn in (foreseen, made, left, again)] == [True, True, False, False]
    assert foreseen["jails"] == made["jails"]
    assert foreseen["diff"] == made["diff"]
    assert [row["state"] for row in again["jails"]] == ["running"] * 3
    assert (left["diff"], again["diff"]) == ([], [])
    assert "hunter2" not in json.dumps([foreseen, made, left, again])


def test_a_result_holds_no_documents(playbooks: Playbooks) -> None:
    entry = member("w[1:40]", state="present", environment=SECRET, command=[*SLEEP, "x" * 1000])
    made, again = playbooks.run(task(entry), task(entry, verbose_results=True))
    assert len(made["jails"]) == 40
    assert len(json.dumps(again)) < 8000
    assert "jails" not in again["invocation"]["module_args"]
    assert again["invocation"]["module_args"]["fleet"] == FLEET


def test_a_failed_jail_fails_the_task_and_the_others_are_done(playbooks: Playbooks) -> None:
    (result,) = playbooks.run(task(member("a"), member("b", command=["ngnix"]), member("c")))
    assert (result["failed"], result["changed"]) == (True, True)
    assert [row["failed"] for row in result["jails"]] == [False, True, False]
    assert result["msg"].startswith("1 of 3 jails failed, the others are done:")
    assert result["jails"][1]["path"] == "jails[1].command[0]"
    assert [jail(name).state for name in ("a", "c")] == ["running", "running"]


def test_what_only_the_host_knows_is_refused_with_every_mistake(playbooks: Playbooks) -> None:
    no_template = {"source": {"template": "fleet-none"}}
    entries = [member("a"), member("b", rootfs=no_template), member("c", depends=[f"{PREFIX}nobody"])]
    for result in playbooks.run(task(*entries), task(*entries, check=True)):
        assert (result["failed"], result["changed"]) == (True, False)
        assert {error["path"] for error in result["errors"]} == {
            "jails[1].rootfs.source.template",
            "jails[2].depends[0]",
        }
        assert all(error["msg"] and error["remedy"] for error in result["errors"])
        assert "jails[1].rootfs.source.template" in result["msg"]
    assert names() == []


def test_a_host_that_has_the_engine_is_sent_the_task_alone_and_answers_as_the_module(playbooks: Playbooks) -> None:
    install.ensure_engine()
    good = [member("a", 1, environment=SECRET), member("b[1:2]"), member("c", command=["ngnix"])]
    bad = [member("a", 1), member("d", rootfs={"source": {"template": "fleet-none"}})]
    check, make, refuse = task(*good, check=True), task(*good), task(*bad)
    # Where the module's interpreter is not there, it cannot have been the module.
    nowhere = {"ansible_python_interpreter": "/nowhere/python3"}
    turns = [{**turn, "vars": nowhere} for turn in (check, make, make, refuse)]
    as_file = {**make, "become": True, "vars": {**nowhere, "ansible_pipelining": False}}
    foreseen, made, again, refused, sent_as_file = playbooks.run(*turns, as_file)
    assert [row["changed"] for row in foreseen["jails"]] == [row["changed"] for row in made["jails"]] == [True] * 4
    assert foreseen["diff"] == made["diff"]
    assert [row["failed"] for row in made["jails"]] == [False, False, False, True]
    assert sent_as_file["jails"] == again["jails"]
    # A job runs for itself, so that one always is the module.
    jobs = playbooks.run(*({**turn, "async": 120, "poll": 1} for turn in (make, refuse)))
    names = ("changed", "failed", "msg", "jails", "summary", "errors", "invocation")
    for by_engine, by_module in zip((again, refused), jobs, strict=True):
        assert {name: by_engine.get(name) for name in names} == {name: by_module.get(name) for name in names}


def test_a_plan_through_ansible(playbooks: Playbooks, tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.json")
    applied = {"hosting.jails.jail_fleet": {"mode": "apply", "plan": plan}}
    planned, made, again = playbooks.run(task(member("a"), mode="plan", plan=plan), applied, applied)
    assert (planned["changed"], planned["plan"]) == (True, plan)
    assert [turn["changed"] for turn in (made, again)] == [True, False]
    assert jail("a").state == "running"
