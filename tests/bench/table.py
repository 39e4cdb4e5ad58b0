# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers of one run, and how they are told."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import NamedTuple


class Line(NamedTuple):
    """One line of the table; ``ratio`` is what the engine takes in relation to this one, empty for the engine."""

    what: str
    value: float
    unit: str
    ratio: str = ""
    note: str = ""


Contender = Callable[[], float]


def compare(title: str, contenders: dict[str, Contender], *, rounds: int, notes: dict[str, str]) -> list[Line]:
    """Measure contenders in turn, round by round: a machine that gets slower meanwhile gets slower for all.

    The first one is the engine. A ratio is the median of the rounds' ratios. Contenders give milliseconds.
    """
    rows: list[list[float]] = [[contender() for contender in contenders.values()] for _unused in range(rounds)]
    lines = []
    for number, name in enumerate(contenders):
        value = median(row[number] for row in rows)
        ratio = f"{median(row[0] / row[number] for row in rows):.2f}" if number else ""
        lines.append(Line(f"{title}: {name}", value, "ms", ratio, notes.get(name, "")))
    return lines


def percentile(values: list[float], share: float) -> float:
    """The value that a share of all values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def show(machine: str, lines: list[Line]) -> None:
    """Print the table."""
    width = max(len(line.what) for line in lines)
    print(f"\n\n{machine}\n\n{'':{width}}  {'median':>10}  {'':5}  {'engine takes':>12}")
    for line in lines:
        ratio = f"{line.ratio} times" if line.ratio else ""
        print(f"{line.what:{width}}  {line.value:10.2f}  {line.unit:5}  {ratio:>12}  {line.note}".rstrip())
