# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_LONGEST = 60
# How much of one jail is told.
_MOST = 4


def drift(before: Any, after: Any) -> list[str]:
    """How what is seen of a jail differs from what was: ``live.limits.memory: '64M' -> '32M'``, a few lines at most."""
    lines = list(_differences(before or {}, after or {}, ""))
    more = len(lines) - _MOST
    return lines if more <= 0 else [*lines[:_MOST], f"and {more} more"]


def _differences(before: Any, after: Any, path: str) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            yield from _differences(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    elif ".environment" in path:
        yield f"{path} has changed"  # It may be a secret.
    else:
        yield f"{path}: {_shown(before)} -> {_shown(after)}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "there"
    text = "unset" if value is None else ascii(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
