# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .comparison import differences
from .defaults import effective
from .live import Live
from .place import Place
from .shapes import RESTART
from .wanted import Wanted


class Decisions:
    """Whether one jail is stopped, started and frozen, each decided once for all steps of the plan.

    ``document`` is the canonical document that is to hold, ``full`` the same with its defaults, ``before`` the stored
    one with its defaults, and ``in_force`` what the jail was last started with, as far as anybody knows.
    """

    def __init__(
        self,
        *,
        wanted: Wanted,
        stored: Mapping[str, Any] | None,
        document: Mapping[str, Any],
        live: Live,
        may_restart: bool,
    ) -> None:
        self.wanted = wanted
        self.stored = stored
        self.document = document
        self.live = live
        self.place = Place(wanted.jail)
        self.full = effective(document)
        self.before = self._effective(stored) if stored else None
        self.in_force = self._effective(live.started) if live.started else self.before or self.full
        self.resets = wanted.reset and live.rootfs is not None
        self.returns = wanted.previous
        self.reasons = self._reasons()
        self.stops = self._stops(may_restart)
        self.starts = self._starts()
        self.freezes = self._freezes()
        self.thaws = live.state == "frozen" and (self.stops or wanted.state == "started")

    @property
    def waits(self) -> bool:
        """Whether something wanted has to wait for a restart that nobody asked for."""
        return bool(self.reasons) and not self.stops

    @property
    def occupied(self) -> bool:
        """Whether processes hold the jail's namespaces and root file system, also after this plan's stop."""
        return self.live.occupied and not self.stops

    def concerns(self, part: str) -> bool:
        """Whether the task is about a part."""
        return self.wanted.part in ("jail", part)

    def state_after(self) -> str:
        """State of the jail when the plan is carried out."""
        if self.freezes:
            return "frozen"
        if self.starts or (self.thaws and not self.stops):
            return "running"
        return "stopped" if self.stops or self.live.state == "absent" else self.live.state

    def _effective(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Most documents are the one that is to hold already, and most of a run is filling in defaults."""
        return self.full if document in (self.document, self.full) else effective(document)

    def _reasons(self) -> list[str]:
        """What the running jail was started without, and cannot get while it runs."""
        if not self.live.alive:
            return []
        pending = [found for found in differences(self.in_force, self.full) if found.effect == RESTART]
        reasons = [f"{difference.line()} needs a restart" for difference in pending]
        if self.returns:
            return [*reasons, "rootfs: the way back to the root file system of before needs a restart"]
        return [*reasons, "rootfs: a reset needs a restart"] if self.resets else reasons

    def _stops(self, may_restart: bool) -> bool:
        if self.wanted.state == "stopped":
            # A failed jail is stopped too, to forget its failure; of a stuck one, more may be killed by now.
            return self.live.state not in ("absent", "stopped")
        asked = self.wanted.state == "restarted" or (may_restart and bool(self.reasons))
        return self.live.alive and asked

    def _starts(self) -> bool:
        if self.wanted.state in ("started", "restarted", "frozen"):
            return self.stops or not self.live.alive
        if self.wanted.state == "stopped":
            return False
        return self.stops or (self.live.restart_pending and not self.live.occupied)

    def _freezes(self) -> bool:
        if self.wanted.state == "frozen":
            return self.starts or self.live.state == "running"
        return self.wanted.state in (None, "present") and self.live.state == "frozen" and self.starts
