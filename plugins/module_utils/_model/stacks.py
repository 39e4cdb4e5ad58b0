# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OWN = "own"


def stack(full: Mapping[str, Any]) -> str:
    """Which network stack a jail is on by its effective document, and by which rules."""
    mode = str(full["ip"]["mode"])
    return mode if mode in ("host", "shared") else OWN


def in_force(full: Mapping[str, Any], started: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Of an effective document and the one that a running jail was started with, the one whose rules hold."""
    return started if started and stack(started) != stack(full) else full
