# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import signal
from collections.abc import Callable

from ..._kernel import files
from ..._model.names import jail_name
from .selection import split_flags
from .streams import complain
from .tables import print_json, print_table
from .usage import UsageError


def _verify(words: list[str]) -> int:
    flags, values, names = split_flags(words, flags=("--json", "--list"), values=("--junit", "--only"))
    only = [name for name in values.get("--only", "").split(",") if name]
    if "--list" in flags:
        return _list(as_json="--json" in flags)
    if not names:
        raise UsageError("verify needs the name of a jail")
    from ..verify import results
    from ..verify.verification import verify

    # What lies about on the host for attacks to find is cleared away in either case.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    found = [verify(jail_name(name), only=only) for name in names]
    every = [finding for findings in found for finding in findings]
    if "--junit" in values:
        files.write_atomic(values["--junit"], results.junit(every), mode=0o644)
    if "--json" in flags:
        print_json(results.as_objects(every))
    else:
        print_table(results.table_rows(every), ("jail", "attack", "verdict", "policy", "why"))
        for findings in found:
            complain(results.summary(findings))
    return 0 if results.is_green(every) else 1


def _list(*, as_json: bool) -> int:
    """The catalogue."""
    from ..verify.catalogue import ATTACKS

    rows = [
        {"attack": attack.name, "kind": attack.kind, "works": attack.rule.text, "what": attack.summary}
        for attack in ATTACKS.values()
    ]
    return print_json(rows) if as_json else print_table(rows, ("attack", "works", "what"))


COMMANDS: dict[str, Callable[[list[str]], int]] = {"verify": _verify}
