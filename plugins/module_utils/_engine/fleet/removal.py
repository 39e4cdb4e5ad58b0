# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Sequence

from ..._model.actions import Action
from .. import firewall
from ..errors import EXPECTED
from .wave import Wave

_TOGETHER = "firewall.remove"


class Removal(Wave):
    """The removal of jails of which none depends on another."""

    def run(self) -> None:
        """Remove them, and last their locks."""
        with self.locked() as locks:
            self.block(self.working, self.means.order.dependents, "removed", "depends on it")
            self.carry_out(self.working, _before)
            self._unfilter()
            self.carry_out(self.working, _after)
            for job in self.working:
                locks[job.name].remove()

    def _unfilter(self) -> None:
        filtered = [job for job in self.working if any(action.kind == _TOGETHER for action in job.actions)]
        try:
            if filtered:
                firewall.remove_all([job.name for job in filtered])
        except EXPECTED as error:
            for job in filtered:
                job.fail(error)


def _before(actions: Sequence[Action]) -> Sequence[Action]:
    """What comes before the action that is done for all jails at once."""
    return actions[: _number(actions)]


def _after(actions: Sequence[Action]) -> Sequence[Action]:
    return actions[_number(actions) + 1 :]


def _number(actions: Sequence[Action]) -> int:
    kinds = [action.kind for action in actions]
    return kinds.index(_TOGETHER) if _TOGETHER in kinds else len(kinds)
