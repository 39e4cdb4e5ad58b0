# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .actions import Action
from .decisions import Decisions
from .shapes import LIVE, REBUILD


def rootfs_actions(decisions: Decisions) -> Iterator[Action]:
    """Make, make anew or remove the root file system.

    It is never removed because a document does not mention it, only when a task takes its section out. Raises
    DocumentError for a source that is not the one that it was made from, unless a reset is asked for.
    """
    if not decisions.concerns("rootfs"):
        return
    actions = list(_of_the_root(decisions))
    yield from actions
    # What is made anew forgets the one of before by itself, unless that has to wait for a restart.
    made_anew = any(action.kind == "rootfs.reset" for action in actions)
    if decisions.wanted.keep_previous is False and decisions.live.previous is not None and not made_anew:
        yield Action("rootfs.forget", decisions.wanted.jail, LIVE, "rootfs", "the one of before the last reset")


def _of_the_root(decisions: Decisions) -> Iterator[Action]:
    source, made_from = decisions.full["rootfs"].get("source"), decisions.live.rootfs
    if decisions.returns:
        yield from _return(decisions)
    elif source is None:
        if made_from is not None and clears_rootfs(decisions):
            yield _removal(decisions)
    elif made_from is None:
        yield _making("rootfs.create", LIVE, decisions)
    elif not decisions.resets:
        _refuse_other_source(decisions, source, made_from)
    elif not decisions.occupied:
        yield _making("rootfs.reset", REBUILD, decisions)


def refuse_start_without_root(decisions: Decisions) -> None:
    """Raise DocumentError if the plan starts a jail that has nothing to start from."""
    has_root = decisions.live.rootfs is not None and not clears_rootfs(decisions)
    if decisions.starts and not has_root and not decisions.full["rootfs"]:
        raise decisions.place.at("rootfs").error(
            "there is no root file system to start from",
            "say rootfs.source, or run jail_rootfs for this jail first, as in source: {template: debian}",
        )


def clears_rootfs(decisions: Decisions) -> bool:
    """Whether the task takes the section out of the document."""
    return "rootfs" in decisions.wanted.given and "rootfs" not in decisions.document


def _return(decisions: Decisions) -> Iterator[Action]:
    kept = decisions.live.previous
    if kept is None:
        raise decisions.place.at("rootfs").error(
            "no root file system of before is kept", "say keep_previous: true when it is made anew"
        )
    if not decisions.occupied:
        summary = f"to the one of before, from {_named(kept)}"
        yield Action("rootfs.restore", decisions.wanted.jail, REBUILD, "rootfs", summary, {"source": kept})


def _making(kind: str, effect: str, decisions: Decisions) -> Action:
    source = decisions.document["rootfs"]["source"]
    arguments = {"source": source, "keep": bool(decisions.wanted.keep_previous)}
    return Action(kind, decisions.wanted.jail, effect, "rootfs", f"from {_named(source)}", arguments)


def _removal(decisions: Decisions) -> Action:
    if decisions.occupied:
        raise decisions.place.at("rootfs").error("the jail runs on it", "stop it first, with state: stopped")
    return Action("rootfs.remove", decisions.wanted.jail, REBUILD, "rootfs")


def _refuse_other_source(decisions: Decisions, source: Mapping[str, Any], made_from: Mapping[str, Any]) -> None:
    if source == made_from:
        return
    # Here and not above: hardly any task comes so far.
    from .templates import same_source

    if same_source(source, made_from):
        return
    old, new = _named(made_from), _named(source)
    other = f"from {old}, not from {new}" if old != new else f"from {old} with other options"
    raise (
        decisions.place.at("rootfs")
        .at("source")
        .error(
            f"the root file system was made {other}",
            "jail_rootfs with state: reset makes it anew, and throws away what was changed in it",
        )
    )


def _named(source: Mapping[str, Any]) -> str:
    """``template debian``, ``archive /srv/web.tar``, ``packages``, ``empty``"""
    kind, value = next(iter(source.items()))
    if kind == "empty":
        return "nothing"
    detail = value.get("path", "") if isinstance(value, Mapping) else value
    return f"{kind} {detail}".strip()
