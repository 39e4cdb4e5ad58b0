# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .checks import check
from .defaults import effective
from .names import jail_name
from .options import DOCUMENT, SECTIONS
from .place import Place, shown
from .shapes import is_empty

__all__ = ["HIDDEN", "check", "effective", "is_secret", "merge", "normalise", "redacted"]

HIDDEN = "********"
_SECRET = re.compile(r"pass|secret|token|credential|cookie|salt|auth|(?:^|_)(?:key|pw|pin)(?:_|$)|apikey|dsn", re.I)


def normalise(raw: Any, *, jail: str, prefix: str = "") -> dict[str, Any]:
    """The canonical form of a jail document: what is stored, compared and shown.

    Every value is in its one spelling (sizes shortest, addresses as ipaddress writes them, ``SIGTERM``), options are in
    the order of the table, mappings sorted, lists as given. Options that say nothing (null, "", [], {}) are left out,
    and no default is filled in. ``prefix`` is put before each path (``jails[17].``).

    Raises DocumentError for the first thing that is wrong, whatever ``raw`` is. What no option shows alone is left to
    check().
    """
    place = Place(jail_name(jail), prefix.rstrip("."))
    if isinstance(raw, Mapping):
        if raw.get("name") not in (None, jail):
            raise place.at("name").error(f"{shown(raw['name'])} is another jail", f"write {jail}, or leave it out")
        raw = {**raw, "name": jail}
    return DOCUMENT.parse(raw, place)


def merge(stored: Mapping[str, Any] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored, with what a task says put over it; to be normalised afterwards.

    Options are taken whole: one that is given replaces the stored one, one that is not given stays, an empty one is
    taken out. In the sections that have a module of their own (rootfs, ip, caps) this holds for each of their options.
    """
    merged = dict(stored or {})
    for name, value in given.items():
        if name in SECTIONS and isinstance(value, Mapping) and value:
            merged[name] = {**merged.get(name, {}), **_said(value)}
        elif is_empty(value):
            merged.pop(name, None)
        elif value is not None:
            merged[name] = value
    return merged


def redacted(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document to be shown in results and differences.

    Environment variables stay visible, as a difference that shows nothing helps nobody; hidden are those whose name
    looks like that of a secret. A task with other secrets says ``no_log: true``.
    """
    environment = document.get("environment")
    if not environment:
        return dict(document)
    visible = {name: HIDDEN if is_secret(name) else value for name, value in environment.items()}
    return {**document, "environment": visible}


def is_secret(variable: str) -> bool:
    """Whether the name of an environment variable looks like that of a secret."""
    return bool(_SECRET.search(variable))


def _said(section: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in section.items() if value is not None}
