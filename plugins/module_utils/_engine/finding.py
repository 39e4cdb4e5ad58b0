# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """What becomes of one thing that was asked for; ``why`` is empty when there is nothing to add."""

    item: str
    verdict: str
    why: str = ""
