# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .streams import say


def print_json(rows: Any) -> int:
    """Print rows for programs; 0."""
    say(json.dumps(rows, indent=2))
    return 0


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> int:
    """Print rows for people; 0."""
    for line in lines(rows, columns):
        say(line)
    return 0


def lines(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """A table: a line for the names of its columns, and one for each row. What a row does not have is a dash."""
    cells = [[column.upper() for column in columns]]
    cells += [[_cell(column, row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[number]) for line in cells) for number in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]


def _cell(column: str, value: Any) -> str:
    if value in (None, "", []):
        return "-"
    if column == "uptime":
        return duration(int(value))
    return printable(",".join(value) if isinstance(value, list) else str(value))


def printable(text: str) -> str:
    """A text of a jail's, without what a terminal would take for commands."""
    return "".join(character if character.isprintable() else "?" for character in text)


def size(value: int | None) -> str | None:
    """Bytes in MiB."""
    return None if value is None else f"{value / (1 << 20):.1f}M"


def duration(seconds: int) -> str:
    """Seconds as days and a clock."""
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}d {clock}" if days else clock
