# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from .options import PARTS
from .place import Place, listed, shown

WANTED_STATES = ("present", "started", "stopped", "restarted", "frozen", "absent")
APPLY = ("live", "restart")


@dataclass(frozen=True)
class Wanted:
    """What one task asks for.

    ``given`` is the piece of a document that it says, as the operator wrote it (see options.given()); with ``whole`` it
    is all of the document, canonical and checked, and what it does not say is not wanted. ``state`` is one
    of WANTED_STATES; None leaves the jail running or not, as it is. ``part`` is the part of the jail that the task is
    about: ``rootfs``, ``ip`` and ``caps`` create and repair nothing of the others, ``jail`` is about all of it.
    ``reset`` throws away what was changed in the root file system; ``keep_previous`` keeps it aside all the same, and
    ``previous`` brings it back. ``keep_previous`` False throws away what was kept, None leaves it but for a reset.
    """

    jail: str
    given: Mapping[str, Any] = field(default_factory=dict)
    state: str | None = None
    part: str = "jail"
    reset: bool = False
    whole: bool = False
    previous: bool = False
    keep_previous: bool | None = None

    def __post_init__(self) -> None:
        place = Place(self.jail)
        if self.state is not None:
            refuse_unknown_word(self.state, WANTED_STATES, place.at("state"))
        refuse_unknown_word(self.part, PARTS, place.at("part"))


def refuse_unknown_word(word: Any, known: Collection[str], place: Place) -> None:
    """Raise DocumentError for a word that is none of those known."""
    if word not in known:
        raise place.error(f"{shown(word)} is not a choice", f"use {listed(known)}")
