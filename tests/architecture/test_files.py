# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every file of the collection keeps to, whoever writes it."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LICENCE = (
    "# Copyright (c) 2026, the hosting.jails contributors",
    "# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
)
PRIVATE = "# This is PRIVATE to the collection: do not import it from elsewhere."
LONGEST = 500
# A module is its documentation and a call; what it does belongs to the engine.
LONGEST_MODULE_CODE = 120
DOCUMENTATION = frozenset({"DOCUMENTATION", "EXAMPLES", "RETURN"})
# Where one person's checkout, interpreters and package mirrors happen to lie.
MACHINE_PATH = re.compile(r"(?<![\w}>*])/(work|home)/|\.pyenv/(versions|shims)/\d|/opt/(pypi|wheels)")


def _tracked() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


TRACKED = _tracked()
PYTHON = [path for path in TRACKED if path.suffix == ".py"]
PRIVATE_PYTHON = [path for path in PYTHON if path.relative_to(ROOT).parts[1] in ("module_utils", "plugin_utils")]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_packages_are_namespaces() -> None:
    """AnsiballZ invents the packages, and a host gets the same tree as a plain one: an __init__.py would be dead."""
    assert not [_name(path) for path in TRACKED if path.name == "__init__.py"]


@pytest.mark.parametrize("path", PYTHON, ids=_name)
def test_python_says_its_licence_first(path: Path) -> None:
    lines = [line for line in _lines(path)[:6] if not line.startswith(("#!", "# -*-"))]
    assert tuple(lines[:3]) == LICENCE


@pytest.mark.parametrize("path", PRIVATE_PYTHON, ids=_name)
def test_utilities_say_that_they_are_private(path: Path) -> None:
    assert PRIVATE in _lines(path)[:8]


@pytest.mark.parametrize("path", PYTHON, ids=_name)
def test_annotations_are_not_evaluated(path: Path) -> None:
    """Python 3.9 cannot evaluate ``X | Y``; it never has to."""
    assert "from __future__ import annotations" in _lines(path)


@pytest.mark.parametrize("path", PYTHON, ids=_name)
def test_a_file_holds_one_idea(path: Path) -> None:
    if path.parent == ROOT / "plugins" / "modules":
        pytest.skip("a module's documentation counts for nothing here, its code is measured by itself")
    assert len(_lines(path)) <= LONGEST


@pytest.mark.parametrize("path", sorted((ROOT / "plugins" / "modules").glob("*.py")), ids=_name)
def test_a_module_is_thin(path: Path) -> None:
    documentation = 0
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and {ast.unparse(target) for target in node.targets} <= DOCUMENTATION:
            documentation += (node.end_lineno or node.lineno) - node.lineno + 1
    assert len(_lines(path)) - documentation <= LONGEST_MODULE_CODE


@pytest.mark.parametrize("path", TRACKED, ids=_name)
def test_no_path_of_somebodys_machine(path: Path) -> None:
    if path == Path(__file__):
        pytest.skip("the patterns themselves")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        pytest.skip("not a text")
    found = [f"{number}: {line}" for number, line in enumerate(text.splitlines(), 1) if MACHINE_PATH.search(line)]
    assert not found
