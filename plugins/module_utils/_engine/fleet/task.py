# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._model.fleet import Member, parse_fleet
from ..._model.planner import Wanted
from .jobs import Job
from .refusal import Refusal


@dataclass(frozen=True)
class Task:
    """What a task of jail_fleet says: the jails of a fleet, and what to do about those that it does not name."""

    fleet: str
    members: Sequence[Member]
    purge: str = "none"
    purge_limit: str = "25%"
    allow_empty: bool = False
    apply_mode: str = "live"

    def jobs(self) -> dict[str, Job]:
        """What there is to do with each jail that it names."""
        return {member.name: _job(member) for member in self.members}


def _job(member: Member) -> Job:
    given = member.document if member.stays else {}
    return Job(Wanted(member.name, given=given, state=member.state, whole=member.stays), place=member.place)


def read_task(parameters: Mapping[str, Any]) -> Task:
    """The task from a module's parameters. Refusal names everything that is wrong with its documents."""
    members, errors = parse_fleet(parameters["jails"], parameters["defaults"], fleet=parameters["fleet"])
    if errors:
        raise Refusal(errors)
    return Task(
        fleet=parameters["fleet"],
        members=members,
        purge=parameters["purge"],
        purge_limit=parameters["purge_limit"],
        allow_empty=parameters["allow_empty"],
        apply_mode=parameters["apply"],
    )
