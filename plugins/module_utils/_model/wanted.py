# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .options import PARTS
from .place import Place, listed, shown

WANTED_STATES = ("present", "started", "stopped", "restarted", "frozen", "absent")
APPLY = ("live", "restart")


@dataclass(frozen=True)
class Wanted:
    """What one task asks for.

    ``given`` is the piece of a document that it says, as the operator wrote it (see options.given()). ``state`` is one
    of WANTED_STATES; None leaves the jail running or not, as it is. ``part`` is the part of the jail that the task is
    about: ``rootfs``, ``ip`` and ``caps`` create and repair nothing of the others, ``jail`` is about all of it.
    ``reset`` throws away what was changed in the root file system. ``apply`` says whether a running jail may be
    restarted for what cannot be done live.
    """

    jail: str
    given: Mapping[str, Any] = field(default_factory=dict)
    state: str | None = None
    part: str = "jail"
    reset: bool = False
    apply: str = "live"

    def refuse_unknown_words(self) -> None:
        """Raise DocumentError for a state, part or way to apply that there is not."""
        place = Place(self.jail)
        for name, value, known in (
            ("state", self.state, (None, *WANTED_STATES)),
            ("part", self.part, PARTS),
            ("apply", self.apply, APPLY),
        ):
            if value not in known:
                words = [word for word in known if word]
                raise place.at(name).error(f"{shown(value)} is not a choice", f"use {listed(words)}")
