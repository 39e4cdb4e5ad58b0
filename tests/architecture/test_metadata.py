# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in two places says the same in both."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_action_group_holds_every_module() -> None:
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    assert _yaml(ROOT / "meta" / "runtime.yml")["action_groups"]["jails"] == modules


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_a_role_documents_its_variables_and_no_others(role: Path) -> None:
    options = _yaml(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    readme = (role / "README.md").read_text(encoding="utf-8")
    table = {line.split("`")[1] for line in readme.splitlines() if line.startswith("| `")}
    assert set(options) == table
    optional = {name for name, option in options.items() if not option.get("required")}
    assert set(_yaml(role / "defaults" / "main.yml")) == optional


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_a_role_says_its_defaults_truly(role: Path) -> None:
    defaults = _yaml(role / "defaults" / "main.yml")
    options = _yaml(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    assert {
        name: option["default"] for name, option in options.items() if "default" in option
    }.items() <= defaults.items()


def test_the_controller_needs_what_an_execution_environment_gets() -> None:
    requirements = (ROOT / "tests" / "requirements-controller.txt").read_text(encoding="utf-8").splitlines()
    assert "-r ../meta/ee-requirements.txt" in requirements


# What ends in .py is imported by the others.
TOOLS = sorted(f"tools/{path.name}" for path in (ROOT / "tools").iterdir() if path.is_file() and path.suffix != ".py")


@pytest.mark.parametrize("script", [".ci/run", *TOOLS])
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
