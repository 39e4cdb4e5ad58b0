# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

# What no pattern of ansible(1) and no command line takes for something else than a name.
_HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,252}")


def is_host_name(name: str) -> bool:
    """Whether a text may be the name of a host in the inventory."""
    return bool(_HOST_NAME.fullmatch(name))


def assign(candidates: Sequence[Iterator[str]]) -> list[str | None]:
    """Give each jail the first of its names that no other jail wants as well, None when there is none left.

    All that want the same name go on to their next one. None of them keeps it: which one that were would depend on
    which hosts have answered this time. A name is not looked at before it is needed.
    """
    wanted = [next(names, None) for names in candidates]
    ambiguous: set[str | None] = set()
    while True:
        ambiguous.update(name for name, count in Counter(wanted).items() if count > 1)
        ambiguous.discard(None)
        refused = [number for number, name in enumerate(wanted) if name in ambiguous]
        if not refused:
            return wanted
        for number in refused:
            wanted[number] = next(candidates[number], None)
