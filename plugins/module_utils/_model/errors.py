# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations


class DocumentError(Exception):
    """A jail document asks for something that cannot be.

    ``path`` is the option's path inside the document (``limits.memory``, ``ip.addresses[0]``), empty when the
    document as a whole is meant. ``remedy`` says what would be accepted.
    """

    def __init__(self, jail: str, path: str, message: str, remedy: str = "") -> None:
        super().__init__(jail, path, message, remedy)
        self.jail = jail
        self.path = path
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        where = [f"jail {self.jail}"] if self.jail else []
        if self.path:
            where.append(self.path)
        where.append(self.message)
        text = ": ".join(where)
        return f"{text}; {self.remedy}" if self.remedy else text
