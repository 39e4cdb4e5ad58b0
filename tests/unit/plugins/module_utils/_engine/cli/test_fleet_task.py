# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the action plugin of jail_fleet relies on: a task is begun by the engine that it asks for, or by none."""

from __future__ import annotations

import io
import json

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import install
from ansible_collections.hosting.jails.plugins.module_utils._engine.cli import fleet, main
from ansible_collections.hosting.jails.plugins.module_utils._model.fleet_options import FLEET_SPEC

PARAMETERS = {**{name: option.get("default") for name, option in FLEET_SPEC.items()}, "mode": "validate"}


@pytest.fixture
def call(monkeypatch, capsys):
    """Run jailctl fleet-task as root; its exit status, and what it has printed."""
    monkeypatch.setattr(main.os, "geteuid", lambda: 0)

    def run(engine, **parameters):
        task = {"parameters": {**PARAMETERS, **parameters}, "check": False, "diff": False, "log": False}
        monkeypatch.setattr(fleet.sys, "stdin", io.StringIO(json.dumps(task)))
        status = main.main(["jailctl", "fleet-task", "--engine", engine])
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
