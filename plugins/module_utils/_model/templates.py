# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .defaults import effective
from .options_rootfs import SOURCE
from .place import Place, shown

STATES = ("present", "latest", "absent")


@dataclass(frozen=True)
class TemplateLive:
    """What is true of a template on its host.

    ``source`` is the canonical source that its current generation was built from, None when there is no template.
    ``outdated`` is what a new build would bring, a line each; it is only looked at for the state ``latest``.
    ``jails`` stand on one of its generations. ``generation`` is the current one of all its ``generations``.
    ``ready`` is a newer one that a build would be the same as: somebody has gone back from it, and it was to stay.
    """

    source: Mapping[str, Any] | None = None
    outdated: Sequence[str] = ()
    jails: Sequence[str] = ()
    generation: str = ""
    generations: Sequence[str] = ()
    ready: str = ""


@dataclass(frozen=True)
class TemplateAction:
    """One step: ``template.build``, ``template.switch`` (to another ``generation``) or ``template.remove``."""

    kind: str
    template: str
    summary: str = ""
    generation: str = ""

    def line(self) -> str:
        """The action as one line of a result's ``actions``."""
        text = f"{self.kind} {self.template}"
        return f"{text}: {self.summary}" if self.summary else text


def parse_source(raw: Any, *, template: str) -> dict[str, Any]:
    """The canonical source of a template; DocumentError for what none can be built from."""
    place = Place("", "source")
    source: dict[str, Any] = SOURCE.parse(raw, place)
    if "template" in source:
        raise place.at("template").error(
            f"template {template} cannot be a clone of another template",
            "say packages, archive or empty; a clone of a template is what a jail is",
        )
    return source


def same_source(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two canonical sources ask for the same: defaults may be said, and packages be in any order."""
    if one is None or other is None:
        return False
    return one == other or _comparable(one) == _comparable(other)


def _comparable(source: Mapping[str, Any]) -> dict[str, Any]:
    full: dict[str, Any] = effective({"name": "", "rootfs": {"source": source}})["rootfs"]["source"]
    packages = full.get("packages")
    return {**full, "packages": {**packages, "include": sorted(packages["include"])}} if packages else full


def plan_template(
    name: str, *, state: str, source: Mapping[str, Any] | None, live: TemplateLive, generation: str | None = None
) -> list[TemplateAction]:
    """What leads from what is to what is wanted; an empty list when nothing does.

    ``source`` may be None for ``absent``, for ``latest`` of a template that is there, and with a ``generation`` that is
    to be the current one. Raises DocumentError for a source that is missing, a generation that is not there, and for
    the removal of a template that jails stand on.
    """
    if generation is not None:
        return _switch(name, state, generation, live)
    if state == "absent":
        return _removal(name, live)
    if source is None and (live.source is None or state == "present"):
        raise Place("", "source").error("is missing", f"say what template {name} is made from")
    if live.source is None:
        return [TemplateAction("template.build", name, f"from {_named(source or {})}")]
    if source is not None and not same_source(source, live.source):
        return [_renewal(name, live, f"from {_named(source)}, not from {_named(live.source)}")]
    if state == "latest" and live.outdated:
        return [_renewal(name, live, "; ".join(live.outdated))]
    return []


def _renewal(name: str, live: TemplateLive, why: str) -> TemplateAction:
    if not live.ready:
        return TemplateAction("template.build", name, why)
    summary = f"to generation {live.ready}, which is there already: {why}"
    return TemplateAction("template.switch", name, summary, live.ready)


def _switch(name: str, state: str, generation: str, live: TemplateLive) -> list[TemplateAction]:
    place = Place("", "generation")
    if state != "present":
        raise place.error(f"makes no sense with state {state}", "say state: present")
    if generation not in live.generations:
        there = f"there are {', '.join(live.generations)}" if live.generations else "there is no such template"
        raise place.error(f"template {name} has no generation {shown(generation)}", there)
    if generation == live.generation:
        return []
    return [TemplateAction("template.switch", name, f"to generation {generation}, from {live.generation}", generation)]


def _removal(name: str, live: TemplateLive) -> list[TemplateAction]:
    if live.source is None:
        return []
    if live.jails:
        jails = ("jail " if len(live.jails) == 1 else "jails ") + ", ".join(sorted(live.jails))
        raise Place("", "state").error(
            f"template {name} is in use by {jails}", "remove these jails first, or give them another source"
        )
    return [TemplateAction("template.remove", name)]


def _named(source: Mapping[str, Any]) -> str:
    """``archive /srv/web.tar``, ``packages nginx-light``, ``nothing``"""
    kind, value = next(iter(source.items()))
    if kind == "empty":
        return "nothing"
    detail = value.get("path", "") if kind == "archive" else ", ".join(value.get("include", ()))
    return f"{kind} {detail}".strip()
