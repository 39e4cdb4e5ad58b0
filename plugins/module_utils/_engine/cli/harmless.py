# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import codecs
import re

# A colour, and whatever else a terminal would obey or be deceived by: control characters, and those that turn the
# direction of the text around them. A line may end as on Windows.
_SPECIAL = re.compile(
    "(\x1b\\[[0-9;]{0,30}m)|\r(?=\n)|([\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069])"
)
_UNFINISHED = re.compile("(\x1b(\\[[0-9;]{0,30})?|\r)\\Z")


class Harmless:
    """What a jail has printed, as the terminal of an administrator may have it: text and its colours.

    A terminal that is told to answers, as if it was typed, or puts something into the clipboard.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def clean(self, data: bytes) -> bytes:
        """The next piece; what may be the beginning of a colour is kept back for the one after it."""
        text = self._held + self._decoder.decode(data)
        unfinished = _UNFINISHED.search(text)
        self._held = text[unfinished.start() :] if unfinished else ""
        whole = text[: unfinished.start()] if unfinished else text
        return _SPECIAL.sub(lambda found: found[1] or ("?" if found[2] else ""), whole).encode()
