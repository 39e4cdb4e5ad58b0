# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from ..._model.errors import DocumentError
from ..errors import EngineError

Mistake = Union[DocumentError, EngineError]

_SHOWN = 10


class Refusal(Exception):
    """A task that is not begun, with everything that is wrong with it; each path leads into the task."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(mistakes)
        self.mistakes = list(mistakes)

    def __str__(self) -> str:
        if len(self.mistakes) == 1:
            return str(self.mistakes[0])
        more = len(self.mistakes) - _SHOWN
        shown = [str(mistake) for mistake in self.mistakes[:_SHOWN]] + ([f"... and {more} more"] if more > 0 else [])
        return "\n".join([f"nothing was done, as there are {len(self.mistakes)} mistakes:", *shown])

    def rows(self) -> list[dict[str, str]]:
        """The mistakes as a module returns them."""
        return [
            {"jail": mistake.jail, "path": mistake.path, "msg": str(mistake), "remedy": mistake.remedy}
            for mistake in self.mistakes
        ]
