# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .fleet_member import Member
from .place import Place, shown, some

# The label of a document that says which fleet the jail belongs to.
LABEL = "fleet"
PURGES = ("none", "stopped", "absent")


def purge(
    members: Sequence[Member],
    stored: Mapping[str, Mapping[str, Any]],
    *,
    fleet: str,
    purge: str,
    allow_empty: bool = False,
    limit: int | str = "25%",
    settled: Collection[str] = (),
) -> list[str]:
    """Names of the jails that a task purges: those of its fleet that it does not name, sorted.

    ``stored`` are all documents of the host, ``settled`` the names of jails that are already as ``purge`` would have
    them (stopped, say), which count for nothing. ``limit`` is the most that are purged, as a number or as a share of
    the fleet's jails on the host, of which one is always allowed.

    Raises DocumentError for a task without any jail unless ``allow_empty``, and for more jails than ``limit``.
    """
    most = _most(limit, sum(_belongs(document, fleet) for document in stored.values()))
    if purge == "none":
        return []
    named = {member.name for member in members}
    names = sorted(
        name
        for name, document in stored.items()
        if name not in named and name not in settled and _belongs(document, fleet)
    )
    if names and not members and not allow_empty:
        raise Place("", "jails").error(
            f"is empty, so that all of fleet {fleet} would be purged: {some(names)}",
            "list the jails that are to stay, or say allow_empty: true (of the role fleet: fleet_allow_empty)",
        )
    if len(names) > most:
        raise Place("", "purge").error(
            f"{len(names)} jails of fleet {fleet} are not in the list, and purge_limit ({limit}) allows {most}:"
            f" {some(names)}",
            f"say purge_limit: {len(names)} (of the role fleet: fleet_purge_limit) if all of them are to go",
        )
    return names


def _belongs(document: Mapping[str, Any], fleet: str) -> bool:
    return bool(document.get("labels", {}).get(LABEL) == fleet)


def _most(limit: int | str, total: int) -> int:
    text = str(limit)
    share = text.endswith("%")
    digits = text[:-1] if share else text
    if isinstance(limit, bool) or not (digits.isdecimal() and digits.isascii() and len(digits) < 10):
        raise Place("", "purge_limit").error(
            f"{shown(limit)} is neither a number nor a share", "write a number of jails or their share, as in 10 or 25%"
        )
    if not share:
        return int(digits)
    return max(1, total * int(digits) // 100) if int(digits) else 0
