# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..._model.document import check
from ..._model.fleet import Member
from ..address_pools import Choice
from .refusal import Mistake, Refusal
from .task import Task


def with_addresses(task: Task, choice: Choice) -> Task:
    """The task with addresses where it leaves them to the host. Refusal where there are none, or where a jail cannot
    have those that there are."""
    mistakes: list[Mistake] = []
    staying = [(member.at(), member.document) for member in task.members if member.stays]
    found = choice.for_documents(staying, mistakes.append)
    members = [_with(member, found) for member in task.members]
    chosen = [member for member in members if member.name in found]
    mistakes += [error for member in chosen for error in check(member.document, prefix=f"{member.place}.")]
    if mistakes:
        raise Refusal(mistakes)
    return replace(task, members=members)


def _with(member: Member, found: Mapping[str, Sequence[str]]) -> Member:
    addresses = found.get(member.name)
    if addresses is None:
        return member
    document: dict[str, Any] = {**member.document, "ip": {**member.document["ip"], "addresses": addresses}}
    return replace(member, document=document)
