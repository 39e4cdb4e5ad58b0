# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arrows of docs/architecture.md: modules -> _engine -> _kernel and _model; _model knows nobody."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
UTILS = PLUGINS / "module_utils"
MODULES = PLUGINS / "modules"
LAYERS = ("_model", "_kernel", "_engine")

# Nothing in here can see the system: no os, no socket, no clock, no randomness.
PURE = frozenset(
    "__future__ base64 binascii bisect collections copy dataclasses difflib enum fractions functools hashlib ipaddress"
    " itertools json keyword math operator re string textwrap types typing unicodedata".split()
)
# Each costs more at import than the module call that pays for it; the functions that need one import it.
HEAVY = frozenset("argparse asyncio jsonschema logging multiprocessing pyroute2 subprocess tempfile".split())
SLOW = HEAVY | {"ast", "dataclasses", "difflib", "inspect", "pathlib", "random", "secrets", "socket"}
# AnsiballZ ships no bytecode, so every call compiles what it imports at the top: about 10 ms for a thousand lines.
IMPORTED_LINES = 8500


@dataclass(frozen=True)
class Import:
    """One import statement: the dotted name it asks for, absolute or resolved to one below module_utils."""

    file: Path
    line: int
    name: str
    inside: bool
    at_top: bool

    @property
    def head(self) -> str:
        return self.name.split(".", maxsplit=1)[0]

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.name}"


def _statements(node: ast.AST, *, at_top: bool = True) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child, at_top
            continue
        inside_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        only_for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from _statements(child, at_top=at_top and not inside_function and not only_for_types)


def _resolve(file: Path, statement: ast.ImportFrom) -> list[str]:
    """Name what ``from ..X import a, b`` may load: X itself, X.a and X.b, below module_utils where they are."""
    package = file.parent.relative_to(PLUGINS).parts
    above = len(package) - statement.level + 1
    if above < 0:
        return ["outside of plugins"]
    parts = [*package[:above], *(statement.module or "").split(".")]
    base = ".".join(part for part in parts if part)
    return [
        name.removeprefix("module_utils.") for name in (base, *(f"{base}.{alias.name}" for alias in statement.names))
    ]


def _imports(file: Path) -> Iterator[Import]:
    for statement, at_top in _statements(ast.parse(file.read_text(encoding="utf-8"), filename=str(file))):
        if isinstance(statement, ast.ImportFrom) and statement.level:
            names, inside = _resolve(file, statement), True
        elif isinstance(statement, ast.ImportFrom):
            names, inside = [statement.module or ""], False
        else:
            names, inside = [alias.name for alias in statement.names], False
        for name in names:
            if name:
                yield Import(file=file, line=statement.lineno, name=name, inside=inside, at_top=at_top)


def _layer(name: str) -> list[Import]:
    return [found for file in sorted((UTILS / name).rglob("*.py")) for found in _imports(file)]


def _refused(imports: list[Import]) -> str:
    return "\n".join(map(str, imports))


def test_the_model_imports_only_itself_and_pure_modules() -> None:
    wrong = [found for found in _layer("_model") if found.head != "_model" and (found.inside or found.head not in PURE)]
    assert not wrong, _refused(wrong)


def test_the_kernel_layer_knows_no_jail() -> None:
    wrong = [found for found in _layer("_kernel") if found.inside and found.head != "_kernel"]
    assert not wrong, _refused(wrong)


def test_the_engine_reaches_down_only() -> None:
    wrong = [found for found in _layer("_engine") if found.inside and found.head not in LAYERS]
    assert not wrong, _refused(wrong)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_needs_the_standard_library_and_pyroute2(layer: str) -> None:
    allowed = sys.stdlib_module_names | {"pyroute2"}
    wrong = [found for found in _layer(layer) if not found.inside and found.head not in allowed | {"ansible"}]
    assert not wrong, _refused(wrong)


@pytest.mark.parametrize("layer", LAYERS)
def test_only_the_door_to_ansible_imports_ansible(layer: str) -> None:
    """The same tree runs on hosts as a plain package, below jailctl, where there is no ansible."""
    door = UTILS / "_engine" / "module.py"
    wrong = [found for found in _layer(layer) if found.head.startswith("ansible") and found.file != door]
    assert not wrong, _refused(wrong)


@pytest.mark.parametrize("layer", LAYERS)
def test_nothing_expensive_is_imported_before_it_is_needed(layer: str) -> None:
    wrong = [found for found in _layer(layer) if found.at_top and not found.inside and found.head in HEAVY]
    assert not wrong, _refused(wrong)


def _file_of(name: str) -> Path | None:
    file = UTILS.joinpath(*name.split(".")).with_suffix(".py")
    return file if file.is_file() else None


def _reached_from(module: Path, *, only_at_top: bool) -> set[Path]:
    """Collect the files of ours that a module imports, through all layers.

    What AnsiballZ packs is everything that an import statement names anywhere; what a call compiles for certain is
    what is imported at the top.
    """
    reached: set[Path] = set()
    pending = [module]
    while pending:
        file = pending.pop()
        for statement, at_top in _statements(ast.parse(file.read_text(encoding="utf-8"))):
            if (at_top or not only_at_top) and isinstance(statement, ast.ImportFrom) and statement.level:
                found = {path for path in map(_file_of, _resolve(file, statement)) if path} - reached
                reached |= found
                pending.extend(found)
    return reached


@pytest.mark.parametrize("module", sorted(MODULES.glob("*.py")), ids=lambda path: path.stem)
def test_a_module_call_compiles_a_bounded_number_of_lines(module: Path) -> None:
    lines = {
        file: len(file.read_text(encoding="utf-8").splitlines()) for file in _reached_from(module, only_at_top=True)
    }
    largest = sorted(lines, key=lambda file: -lines[file])[:5]
    assert sum(lines.values()) <= IMPORTED_LINES, [f"{file.name}: {lines[file]}" for file in largest]


@pytest.mark.parametrize("commands", ["enter", "look"])
def test_commands_that_somebody_waits_for_import_nothing_that_takes_longer_than_they_do(commands: str) -> None:
    """dataclasses brings inspect, ast and tokenize with it: a third of the time of a list."""
    files = {UTILS / "_engine" / "cli" / f"{name}.py" for name in ("main", commands)}
    files |= set().union(*(_reached_from(file, only_at_top=True) for file in files))
    wrong = [found for file in files for found in _imports(file) if found.at_top and found.head in SLOW]
    assert not wrong, _refused(wrong)


def test_every_module_that_starts_jails_carries_the_same_engine() -> None:
    """A module installs the engine from its own payload: with another set of files it would be another version."""
    installer = UTILS / "_engine" / "install.py"
    packed = {module.stem: _reached_from(module, only_at_top=False) for module in MODULES.glob("*.py")}
    engines = {name: {_name(path) for path in files} for name, files in packed.items() if installer in files}
    whole = set().union(*engines.values())
    assert {name: sorted(whole - files) for name, files in engines.items() if files != whole} == {}


def _name(path: Path) -> str:
    return str(path.relative_to(UTILS))
