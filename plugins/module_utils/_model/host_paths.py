# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from typing import Any

from .place import Place, shown
from .scalars import Scalar, parse_text

_REMEDY = "write an absolute path without '..'"


def parse_path(value: Any, place: Place) -> str:
    """An absolute path in its shortest spelling, without '..': what is judged must be what is opened later."""
    text = parse_text(value, place)
    if not text.startswith("/"):
        raise place.error(f"{shown(text)} is not an absolute path", _REMEDY)
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise place.error(f"{shown(text)} contains '..'", _REMEDY)
    return "/" + "/".join(parts)


def is_below(path: str, directory: str) -> bool:
    """Whether a canonical path is a directory or something in it."""
    return path == directory or directory == "/" or path.startswith(f"{directory}/")


PATH = Scalar(parse_path, {"type": "string", "pattern": r"^/[^\u0000\n\r]*(?![\s\S])"}, definition="path")
