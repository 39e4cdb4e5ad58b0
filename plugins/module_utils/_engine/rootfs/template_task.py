# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._model.names import template_name
from ..._model.templates import TemplateAction, TemplateLive, parse_source, plan_template, same_source
from . import archive, templates, updates
from .manifests import TemplateManifest


def converge(
    name: Any,
    *,
    state: str,
    source: Mapping[str, Any] | None,
    check: bool,
    generation: str | None = None,
    keep_newer: bool = False,
) -> dict[str, Any]:
    """Bring a template into the state that a task asks for, or say what that would take; the module's result.

    ``generation`` is the finished one that is to be current, whatever its source was; ``keep_newer`` is for those that
    are newer: see templates.switch().

    Raises DocumentError for a name or source that is none, EngineError for what cannot be built or removed.
    """
    name = template_name(name)
    wanted = None if source is None else parse_source(source, template=name)
    before = templates.describe(name)
    live = _observe(name, state, wanted)
    actions = plan_template(name, state=state, source=wanted, live=live, generation=generation)
    if wanted and "archive" in wanted and any(action.kind == "template.build" for action in actions):
        archive.refuse_unreadable(wanted["archive"]["path"])
    if check:
        return _result(name, actions, before, _predicted(actions, before, wanted))
    if not actions:
        templates.settle(name)
    for action in actions:
        _carry_out(action, wanted, keep_newer=keep_newer)
    return _result(name, actions, before, templates.describe(name))


def _observe(name: str, state: str, wanted: Mapping[str, Any] | None) -> TemplateLive:
    present = templates.current(name)
    if present is None:
        return TemplateLive()
    source, look = wanted or present.source, state == "latest"
    outdated = updates.outdated(present, source) if look else ()
    renewed = bool(outdated) or not same_source(source, present.source)
    return TemplateLive(
        source=present.source,
        outdated=outdated,
        jails=templates.users(name),
        generation=present.generation,
        generations=[manifest.generation for manifest in templates.generations(name)],
        ready=_ready(present, source, look=look) if renewed else "",
    )


def _ready(present: TemplateManifest, source: Mapping[str, Any], *, look: bool) -> str:
    """The newest generation that is what a build would make, of those that were gone back from; empty: there is none.

    One on which no jail stands does not count, unless it was kept for this: whoever wants a build made again moves its
    jails away.
    """
    in_use = set(templates.clones(present.template).values())
    for manifest in reversed(templates.generations(present.template)):
        if manifest.generation <= present.generation:
            break
        wanted = manifest.generation in in_use or templates.is_kept(manifest)
        if not wanted or not same_source(manifest.source, source):
            continue
        if not (look and updates.outdated(manifest, source)):
            return manifest.generation
    return ""


def _carry_out(action: TemplateAction, wanted: Mapping[str, Any] | None, *, keep_newer: bool) -> None:
    if action.kind == "template.remove":
        templates.remove(action.template)
        return
    if action.kind == "template.switch":
        templates.switch(action.template, action.generation, keep_newer=keep_newer)
        return
    present = templates.current(action.template)
    source = wanted if wanted is not None else present.source if present else {}
    templates.build(action.template, source, instead_of=present.generation if present else "")


def _predicted(
    actions: list[TemplateAction], before: dict[str, Any] | None, wanted: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    if not actions:
        return before
    if actions[0].kind == "template.remove":
        return None
    if actions[0].kind == "template.switch":
        return {**(before or {}), "generation": actions[0].generation}
    return {**(before or {}), "source": dict(wanted) if wanted is not None else (before or {}).get("source")}


def _result(
    name: str, actions: list[TemplateAction], before: dict[str, Any] | None, after: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "changed": bool(actions),
        "actions": [action.line() for action in actions],
        "diff": {
            "before_header": f"template {name} before",
            "after_header": f"template {name} after",
            "before": _shown(before),
            "after": _shown(after),
        },
        "template": after or {"name": name, "state": "absent"},
    }


def _shown(described: dict[str, Any] | None) -> dict[str, Any]:
    """What a difference shows of a template: its source and packages, and no time or place."""
    kept = ("source", "suite", "checksum", "packages")
    return {key: described[key] for key in kept if key in described} if described else {}
