# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make ``ansible_collections.hosting.jails`` importable from any checkout, and keep root's tests for root."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NEEDS_ROOT = ("integration", "escape", "faults", "bench", "services")


def _link_collection() -> None:
    """Link the checkout as a collection tree: no copy that could be older than the file being edited."""
    if ROOT.parts[-3:] == ("ansible_collections", "hosting", "jails"):
        return  # ansible-test runs a collection tree and brings its own importer
    link = ROOT / ".build" / "link" / "ansible_collections" / "hosting" / "jails"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(ROOT)
    sys.path.insert(0, str(link.parents[2]))


_link_collection()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    for item in items:
        relative = item.path.relative_to(ROOT / "tests")
        if relative.parts[0] in NEEDS_ROOT:
            item.add_marker(pytest.mark.skip(reason="jails are made by root: run this as uid 0"))
