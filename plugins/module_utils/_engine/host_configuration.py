# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What is said of a host as a whole, in /etc/jails/host.conf (JSON): the pools that its jails get addresses from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from .._kernel import files
from .._model.errors import DocumentError
from . import places
from .errors import EngineError
from .steps import Step

Pools = list[dict[str, Any]]


def read_pools() -> Pools:
    """The pools of this host, canonical. EngineError where somebody has edited the file into nonsense."""
    try:
        content = files.read_json(places.HOST)
        return parse_pools(content.get("address_pools")) if isinstance(content, dict) else []
    except files.DamagedFile as error:
        raise _damaged("is not valid JSON") from error
    except DocumentError as error:
        raise _damaged(f"says {error}") from error


def parse_pools(given: Any) -> Pools:
    """Pools as an operator says them, in canonical form. DocumentError for what is none."""
    if not given:
        return []
    from .._model.place import Place
    from .._model.pools import HOST

    return list(HOST.parse({"address_pools": given}, Place("")).get("address_pools", ()))


def write_pools(pools: Sequence[dict[str, Any]]) -> None:
    """Store pools, canonical; none at all leave no file."""
    if not pools:
        files.remove_file(places.HOST)
        return
    files.make_directory(os.path.dirname(places.HOST), mode=0o700)
    files.write_json(places.HOST, {"address_pools": list(pools)})


class Change(NamedTuple):
    """What becomes of the pools; ``before`` is None where they cannot be read."""

    before: Pools | None
    after: Pools | None
    steps: list[Step]


def plan(given: Any) -> Change:
    """What it takes to have these pools; None leaves those that are there."""
    try:
        before: Pools | None = read_pools()
    except EngineError:
        if given is None:
            raise
        before = None
    after = before if given is None else parse_pools(given)
    names = ", ".join(pool["addresses"] for pool in after or ()) or "none"
    step = Step(f"write the pools of addresses: {names}", partial(write_pools, after or ()))
    return Change(before, after, [] if before == after else [step])


def _damaged(what: str) -> EngineError:
    remedy = "write it anew: address_pools of jail_engine, or host_address_pools of the role hosting.jails.host"
    return EngineError("", f"{places.HOST} {what}", remedy=remedy)
