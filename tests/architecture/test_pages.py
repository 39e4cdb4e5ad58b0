# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


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
