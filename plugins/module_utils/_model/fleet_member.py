# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .place import Place


@dataclass(frozen=True)
class Member:
    """A jail of a fleet task: its document in canonical form, and where in the task it stands (``jails[17]``).

    ``state`` is one of WANTED_STATES. The document of a jail that is to be absent holds only what its entry says.
    """

    name: str
    place: str
    state: str
    document: Mapping[str, Any]

    def at(self) -> Place:
        """Where complaints about it begin."""
        return Place(self.name, self.place)

    @property
    def stays(self) -> bool:
        """Whether there is such a jail after the task."""
        return self.state != "absent"
