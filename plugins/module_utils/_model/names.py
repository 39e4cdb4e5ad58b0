# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from typing import Any

from .place import Place, shown

# A DNS label (RFC 1123): the name becomes a host name, a file name, a directory and a cgroup. fullmatch() and not
# `$`, which would let a newline at the end through.
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST = 63
_RULE = "use 1 to 63 lowercase letters, digits and '-', with a letter or digit at both ends"

NAME_SCHEMA = {"type": "string", "pattern": r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?![\s\S])"}


def jail_name(value: Any, *, path: str = "name") -> str:
    """Return ``value`` if it can name a jail; raise DocumentError with what is wrong with it otherwise."""
    return parse_name(value, Place("", path))


def template_name(value: Any, *, path: str = "template") -> str:
    """Return ``value`` if it can name a template; the rule is that of jails."""
    return parse_name(value, Place("", path))


def parse_name(value: Any, place: Place) -> str:
    """Return ``value`` if it is a name, raise the DocumentError of ``place`` otherwise."""
    if not isinstance(value, str):
        raise place.error(f"{shown(value)} is not a name", f"{_RULE}; quote it if it is made of digits only")
    if _NAME.fullmatch(value):
        return str(value)
    raise place.error(f"{shown(value)} is not a name: {_fault(value)}", _RULE)


def _fault(value: str) -> str:
    if not value:
        return "it is empty"
    if len(value) > _LONGEST:
        return f"it has {len(value)} characters"
    for character in value:
        if not re.fullmatch("[a-z0-9-]", character):
            return f"{shown(character)} is not allowed in it"
    return f"it {'starts' if value.startswith('-') else 'ends'} with '-'"
