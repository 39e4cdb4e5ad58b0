# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the action plugins of the modules rely on: a task is begun by the engine that it asks for, or by none."""

from __future__ import annotations

import io
import json
import syslog

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import install
from ansible_collections.hosting.jails.plugins.module_utils._engine.cli import main, task
from ansible_collections.hosting.jails.plugins.module_utils._model.fleet_options import FLEET_SPEC

PARAMETERS = {**{name: option.get("default") for name, option in FLEET_SPEC.items()}, "mode": "validate"}


@pytest.fixture
def call(monkeypatch, capsys):
    """Run jailctl task as root; its exit status, and what it has printed."""
    monkeypatch.setattr(main.os, "geteuid", lambda: 0)

    def run(engine, module="jail_fleet", log=None, **parameters):
        given = {**PARAMETERS, **parameters} if module == "jail_fleet" else parameters
        sent = {"module": module, "parameters": given, "check": False, "diff": False, "log": log}
        monkeypatch.setattr(task.sys, "stdin", io.StringIO(json.dumps(sent)))
        status = main.main(["jailctl", "task", "--engine", engine])
        return status, capsys.readouterr().out

    return run


def test_the_engine_says_that_it_has_begun_and_then_the_result(call):
    status, said = call(install.engine_version(), jails=[{"name": "web1"}])
    begun, answer = said.splitlines()
    assert (status, begun) == (0, f"engine {install.engine_version()}")
    assert json.loads(answer)["failed"] is False


def test_what_is_refused_is_a_result_as_well_without_the_documents(call):
    status, said = call(install.engine_version(), jails=[{"name": "web1", "limits": {"memory": "lots"}}])
    found = json.loads(said.splitlines()[1])
    assert (status, found["failed"]) == (0, True)
    assert found["errors"][0]["path"] == "jails[0].limits.memory"
    assert found["invocation"]["module_args"]["fleet"] == "default"
    assert "jails" not in found["invocation"]["module_args"]


def test_another_engine_begins_nothing(call):
    assert call("0123456789abcdef", jails=[{"name": "web1"}]) == (2, "")


def test_a_mistake_is_a_result_with_its_place_and_the_parameters(call):
    given = {"jail": "Web1", "apply": "live"}
    status, said = call(install.engine_version(), "jail_ip", **given)
    found = json.loads(said.splitlines()[1])
    assert (status, found["failed"]) == (0, True)
    assert "Web1" in found["msg"]
    assert found["invocation"] == {"module_args": given}


def test_the_log_is_told_what_the_task_says(call, monkeypatch):
    told = []
    monkeypatch.setattr(syslog, "openlog", lambda *arguments: told.append(arguments))
    monkeypatch.setattr(syslog, "syslog", lambda *arguments: told.append(arguments))
    entry = {"program": "ansible-x", "facility": "LOG_DAEMON", "text": "Invoked"}
    assert call(install.engine_version(), log=entry, jails=[])[0] == 0
    assert told == [("ansible-x", 0, syslog.LOG_DAEMON), (syslog.LOG_INFO, "Invoked")]
