# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    path
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("roles/*/*.md")])
    if path.name != "CHANGELOG.md"
]
OWN_MODULE = re.compile(r"hosting\.jails\.(jail\w*)")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_to_pages_and_headings_that_there_are(page: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", _text(page)):
        name, _unused, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not link.startswith("https://") and not (target.exists() and (not anchor or anchor in _anchors(target))):
            dead.append(link)
    assert not dead


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", _text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_tasks_on_a_page_say_options_that_their_modules_have(page: Path) -> None:
    wrong = []
    for block in _blocks(_text(page)):
        for module, arguments in _calls(block):
            wrong += [f"{module}: {name}" for name in _unknown(arguments, _options(module))]
    assert not wrong


def _blocks(text: str) -> Iterator[Any]:
    """What is YAML among the blocks of a page, be they fenced or indented."""
    fenced = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?:^(?: {4}.*|[ \t]*)\n)+", text, re.MULTILINE)
    for block in [*fenced, *map(textwrap.dedent, indented)]:
        try:
            yield yaml.safe_load(block)
        except yaml.YAMLError:
            continue


def _calls(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, list):
        for element in value:
            yield from _calls(element)
    for key, inner in value.items() if isinstance(value, dict) else ():
        module = OWN_MODULE.fullmatch(str(key))
        if module and isinstance(inner, dict):
            yield module[1], inner
        else:
            yield from _calls(inner)


@cache
def _options(module: str) -> dict[str, Any]:
    text = _text(ROOT / "plugins" / "modules" / f"{module}.py")
    (documentation,) = re.findall(r'^DOCUMENTATION = r"""\n(.*?)^"""', text, re.MULTILINE | re.DOTALL)
    found: dict[str, Any] = yaml.safe_load(documentation)["options"]
    return found


def _unknown(arguments: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in arguments.items():
        if name not in options:
            yield name
            continue
        inner = options[name].get("suboptions", {})
        for element in value if isinstance(value, list) else [value]:
            if inner and isinstance(element, dict):
                yield from (f"{name}.{path}" for path in _unknown(element, inner))


def test_the_readme_counts_the_attacks_of_the_catalogue() -> None:
    counted = re.search(r"(\d+) attempts to get out", _text(ROOT / "README.md"))
    rows = re.findall(
        r"^\| `\w+` \| ", _text(ROOT / "docs" / "verify.md").partition("begin: catalogue")[2], re.MULTILINE
    )
    assert counted and int(counted[1]) == len(rows)


@pytest.mark.parametrize("tool", ["privileges-page", "verify-page"])
def test_a_page_with_tables_from_the_code_says_what_the_code_does(tool: str) -> None:
    command = [sys.executable, f"tools/{tool}", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_page_on_services_keeps_the_capabilities_that_their_own_pages_keep() -> None:
    table = {}
    for line in (ROOT / "docs" / "services.md").read_text(encoding="utf-8").splitlines():
        if "](services/" in line and line.startswith("| ["):
            page, profile, kept = line.split("|")[1:4]
            table[page.partition("/")[2].rstrip(") ")] = (profile.strip(" `"), re.findall("`([A-Z_]+)`", kept))
    pages = {path.name: _caps(path) for path in (ROOT / "docs" / "services").iterdir()}
    assert table == pages


def _caps(page: Path) -> tuple[str, list[str]]:
    """Profile and capabilities of the play on a page; the profile of a jail with an init of its own is vps."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (play,) = yaml.safe_load(blocks[0])
    options = play["roles"][0]["vars"]["service_options"] if "roles" in play else {}
    caps = options.get("caps", {"profile": "vps"})
    return caps["profile"], caps.get("keep", [])
