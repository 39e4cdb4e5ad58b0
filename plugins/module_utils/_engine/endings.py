# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""How the last life of a jail ended: its state is about the next one as soon as that begins."""

from __future__ import annotations

import contextlib
import time
from typing import Any, NamedTuple

from .._kernel import files
from .._kernel.errors import KernelError
from . import places, store

STOPPED, EXITED, KILLED = "stopped", "exited", "killed"
REBOOTED, POWERED_OFF, UNSEEN = "rebooted", "powered_off", "unseen"


class Ending(NamedTuple):
    """``how`` is one of the words above; ``exit_status`` is as in RuntimeState, ``message`` says the same in words."""

    how: str
    exit_status: int | None
    message: str


def note(name: str, ending: Ending) -> None:
    """Record how a jail has just ended. It may as well stay unsaid: a full /run keeps no jail from being stopped."""
    with contextlib.suppress(KernelError):
        record = {"boot_id": store.boot_id(), "at": time.time(), **ending._asdict()}
        files.write_record(places.ending(name), record)


def read(name: str) -> dict[str, Any] | None:
    """``how``, ``at`` (UTC, ISO 8601), ``exit_status`` and ``message``; None if it has not ended in this boot."""
    try:
        record = files.read_json(places.ending(name))
        if record is None or record.pop("boot_id") != store.boot_id():
            return None
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.pop("at")))
        return {**Ending(**record)._asdict(), "at": at}
    except (files.DamagedFile, AttributeError, KeyError, TypeError, ValueError, OSError):
        return None
