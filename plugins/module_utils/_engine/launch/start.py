# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from dataclasses import dataclass

from .control import Child
from .recipe import Recipe


@dataclass(frozen=True)
class Start:
    """One start under way: what to start, whom to report to, and the descriptors it may use.

    ``output`` is the FIFO of the jail's log, ``user_namespace`` the namespace that the jail's root is root of, -1 for
    the host's.
    """

    recipe: Recipe
    child: Child
    output: int
    user_namespace: int

    @property
    def descriptors(self) -> set[int]:
        """What must stay open until the jail's program is executed."""
        return {self.child.fd, self.output, self.user_namespace}
