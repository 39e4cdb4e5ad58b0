# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of a module is written by hand and read by people: it must say what the option table says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml
from ansible_collections.hosting.jails.plugins.module_utils._model.documentation import options_documentation

MODULES = Path(__file__).resolve().parents[3] / "plugins" / "modules"
MODULE_OF_PART = {"jail": "jail", "rootfs": "jail_rootfs", "ip": "jail_ip", "caps": "jail_caps"}
# Options that say what a task does, and are in no document.
OF_THE_TASK = {"jail", "template", "state", "apply", "keep_previous", "generation", "keep_newer", "verify"}
COMPARED = ("type", "elements", "choices", "required", "default")


def documented_options(module):
    path = MODULES / f"{module}.py"
    if not path.exists():
        pytest.skip(f"there is no module {module} yet")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["DOCUMENTATION"]:
            return yaml.safe_load(ast.literal_eval(node.value))["options"]
    raise AssertionError(f"{path} has no DOCUMENTATION")


def disagreements(documented, table, *, path=""):
    """What the documentation says otherwise than the table, one line each."""
    for name, row in table.items():
        where = f"{path}{name}"
        if name not in documented:
            yield f"{where} is not documented"
            continue
        entry = documented[name]
        for key in COMPARED:
            if entry.get(key) != row.get(key):
                yield f"{where}.{key} is documented as {entry.get(key)!r}, and is {row.get(key)!r}"
        yield from disagreements(entry.get("suboptions", {}), row.get("suboptions", {}), path=f"{where}.")
    for name in documented.keys() - table.keys():
        if path or name not in OF_THE_TASK:
            yield f"{path}{name} is documented, but there is no such option"


@pytest.mark.parametrize(("part", "module"), MODULE_OF_PART.items())
def test_the_documentation_of_a_module_agrees_with_the_option_table(part, module):
    assert list(disagreements(documented_options(module), options_documentation(part))) == []


def test_a_disagreement_is_found_at_any_depth():
    table = options_documentation("ip")
    documented = options_documentation("ip")
    documented["dns"]["suboptions"]["servers"]["elements"] = "int"
    documented["mode"]["choices"].append("other")
    del documented["mtu"]
    documented["elsewhere"] = {}
    assert list(disagreements(documented, table)) == [
        "mode.choices is documented as ['vnet', 'shared', 'none', 'host', 'other'],"
        " and is ['vnet', 'shared', 'none', 'host']",
        "mtu is not documented",
        "dns.servers.elements is documented as 'int', and is 'str'",
        "elsewhere is documented, but there is no such option",
    ]
