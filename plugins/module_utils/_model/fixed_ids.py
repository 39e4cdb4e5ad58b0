# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Why a jail cannot have the ids that its document asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .allocation import Allocation, IdRange, range_of
from .errors import DocumentError

_PATH = "caps.user_namespace"


def refuse_other_ids(allocation: Allocation, document: Mapping[str, Any]) -> None:
    """DocumentError for a jail that has ids, and files that belong to them, but is to have others."""
    asked = range_of(document)
    if not allocation.ids.size and asked != allocation.ids:
        message = "the jail has no user namespace, and its files belong to the users of the host"
        raise DocumentError(allocation.jail, _PATH, message, "say false, or remove the jail and define it anew")
    if asked and asked != allocation.ids:
        base, size = allocation.ids
        raise DocumentError(
            allocation.jail,
            _PATH,
            f"the jail has the ids from {base} to {base + size - 1}, and so have its files",
            "leave it out, or remove the jail and define it anew",
        )


def refuse_taken_ids(allocation: Allocation, others: Iterable[Allocation], reserved: Iterable[tuple[int, int]]) -> None:
    """DocumentError for ids of which one belongs to another jail, or is ``reserved`` (first, count) for the host."""
    for other in others:
        if other.jail != allocation.jail and _overlap(allocation.ids, other.ids):
            raise _taken(allocation.jail, other.ids, f"jail {other.jail}")
    for first, count in reserved:
        if count > 0 and _overlap(allocation.ids, IdRange(first, count)):
            raise _taken(allocation.jail, IdRange(first, count), "users of the host (/etc/subuid, /etc/passwd)")


def _overlap(one: IdRange, other: IdRange) -> bool:
    return one.base < other.base + other.size and other.base < one.base + one.size


def _taken(jail: str, ids: IdRange, owner: str) -> DocumentError:
    message = f"the ids from {ids.base} to {ids.base + ids.size - 1} belong to {owner}"
    return DocumentError(jail, _PATH, message, "choose others, or leave it out: the host finds some")
