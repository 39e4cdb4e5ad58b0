# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from typing import Any

from .fleet_purge import PURGES
from .wanted import APPLY

DEFAULT_FLEET = "default"
MODES = ("converge", "plan", "apply", "validate")

# Of the module and of its action plugin, which refuses what it does not know before any host is connected to.
FLEET_SPEC: dict[str, Any] = {
    "jails": {"type": "list", "elements": "dict"},
    "defaults": {"type": "dict", "default": {}},
    "fleet": {"type": "str", "default": DEFAULT_FLEET},
    "purge": {"type": "str", "choices": list(PURGES), "default": "none"},
    "purge_limit": {"type": "str", "default": "25%"},
    "allow_empty": {"type": "bool", "default": False},
    "parallel": {"type": "int"},
    "apply": {"type": "str", "choices": list(APPLY), "default": "live"},
    "mode": {"type": "str", "choices": list(MODES), "default": "converge"},
    "plan": {"type": "path"},
    "verbose_results": {"type": "bool", "default": False},
}
# As required_if takes it.
FLEET_NEEDS = [
    ("mode", "converge", ("jails",)),
    ("mode", "validate", ("jails",)),
    ("mode", "plan", ("jails", "plan")),
    ("mode", "apply", ("plan",)),
]
