# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from typing import Any

from .place import Place, did_you_mean, shown

# signal(7), the numbers of every architecture that the engine knows. Python's own table is that of the machine it
# runs on, which need not be the one that the document is for.
_NAMES = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG"
    " XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
).split()
_REAL_TIME = re.compile(r"RTMIN\+([1-9]|[12][0-9]|30)")

SIGNAL_SCHEMA = {"type": ["string", "integer"]}


def parse_signal(value: Any, place: Place) -> str:
    """``SIGTERM`` for TERM, SIGTERM, sigterm and 15; real-time signals are ``SIGRTMIN+3``."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise place.error(f"{shown(value)} is not a signal", "write a name such as SIGTERM")
    if value.isascii() and value.isdigit() and len(value) < 3 and 1 <= int(value) <= len(_NAMES):
        return f"SIG{_NAMES[int(value) - 1]}"
    name = value.upper()
    bare = name[len("SIG") :] if name.startswith("SIG") else name
    if bare in _NAMES or bare in ("RTMIN", "RTMAX") or _REAL_TIME.fullmatch(bare):
        return f"SIG{bare}"
    raise place.error(f"{shown(value)} is not a signal", did_you_mean(name, [f"SIG{known}" for known in _NAMES]))
