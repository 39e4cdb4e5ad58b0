# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from typing import NamedTuple


class Failure(NamedTuple):
    """Why one jail of many could not be brought to where it should be."""

    message: str
    path: str = ""
    remedy: str = ""


def failure_of(error: Exception) -> Failure:
    """What to say of an exception; its path is one inside the jail's document."""
    return Failure(str(error), getattr(error, "path", ""), getattr(error, "remedy", ""))
