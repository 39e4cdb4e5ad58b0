# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of a page in docs that are written from the code, each between two marks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BEGIN, _END = "<!-- begin: {} -->", "<!-- end: {} -->"

# The engine's own names for its modules, as on a host.
sys.path.insert(0, str(ROOT / "plugins"))


def main(name: str, tables: Mapping[str, Callable[[], Iterable[str]]]) -> int:
    """Write the tables of a page; with --check, say whether they are what the code says, by the exit status."""
    page = ROOT / "docs" / name
    text = written = page.read_text(encoding="utf-8")
    for mark, lines in tables.items():
        written = _put(written, mark, lines())
    if "--check" not in sys.argv[1:]:
        page.write_text(written, encoding="utf-8")
    elif written != text:
        print(f"docs/{name} is not what the code says: run tools/{Path(sys.argv[0]).name}", file=sys.stderr)
        return 1
    return 0


def _put(text: str, mark: str, lines: Iterable[str]) -> str:
    """The text with other lines between the two marks of a name."""
    begin, end = _BEGIN.format(mark), _END.format(mark)
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    return "\n".join([before + begin, "", *lines, "", end + after])


def table(*rows: Iterable[str]) -> Iterator[str]:
    """Lines of a Markdown table; the first row is its heading."""
    heading, *others = [list(row) for row in rows]
    for row in (heading, ["---"] * len(heading), *others):
        yield f"| {' | '.join(row)} |"
