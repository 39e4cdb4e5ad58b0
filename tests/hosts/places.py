# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where everything of the test hosts lies: by set, which is a prefix, and by host, which is the prefix and a number."""

from __future__ import annotations

import os
import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD = CHECKOUT / ".build" / "hosts"
IMAGE = BUILD / "image"
SETS = BUILD / "sets"
ARCHIVES = BUILD / "archives"
# Short, for sockets lie below it, whose paths may have 108 bytes (unix(7)).
RUNTIME = Path("/run/test-hosts")

_PREFIX = re.compile(r"[a-z][a-z0-9-]{0,11}")


def check_prefix(prefix: str) -> str:
    """The prefix itself; ValueError unless a host name, a link name and a control group can begin with it."""
    if not _PREFIX.fullmatch(prefix) or prefix[-1].isdigit():
        raise ValueError(f"{prefix!r} is no prefix: up to twelve of a-z, 0-9 and -, a letter first, no digit last")
    return prefix


def directory(prefix: str) -> Path:
    """What a set has on disk."""
    return SETS / prefix


def runtime(prefix: str) -> Path:
    """What a set has until it is taken down: the pin of its network, the sockets of ssh."""
    return RUNTIME / prefix


def network(prefix: str) -> Path:
    """Where the network namespace is pinned that joins the hosts of a set."""
    return runtime(prefix) / "net"


def control_group(prefix: str) -> str:
    """Control group of a set, in every hierarchy; those of its hosts are below it."""
    return f"test-hosts-{prefix}"


def prefixes() -> list[str]:
    """Every set of this checkout of which there is a trace."""
    return sorted(name for name in os.listdir(SETS) if _PREFIX.fullmatch(name)) if SETS.is_dir() else []
