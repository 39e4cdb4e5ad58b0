# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..._kernel import files
from ..errors import EngineError

FORMAT = 1


@dataclass(frozen=True)
class TemplateManifest:
    """One finished generation of a template.

    ``source`` is as asked for, ``facts`` what it came to: the suite and packages, or the archive's checksum.
    ``created`` is UTC in ISO 8601.
    """

    template: str
    generation: str
    source: Mapping[str, Any]
    created: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT


@dataclass(frozen=True)
class RootManifest:
    """A jail's own file system: what it stands on and which ids own its upper layer.

    ``template`` and ``generation`` are empty when the jail has a base of its own. ``uid_base`` is the host id that is
    the jail's root.
    """

    jail: str
    source: Mapping[str, Any]
    uid_base: int
    created: str
    template: str = ""
    generation: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT


def write(path: str, manifest: TemplateManifest | RootManifest) -> None:
    """Store a manifest so that it survives a power cut."""
    files.write_json(path, asdict(manifest))


def read_template(path: str) -> TemplateManifest | None:
    """The manifest of a generation, None where there is none."""
    raw = _read(path)
    return None if raw is None else _parsed(TemplateManifest, raw, path)


def read_root(path: str) -> RootManifest | None:
    """The manifest of a jail's root, None where there is none."""
    raw = _read(path)
    return None if raw is None else _parsed(RootManifest, raw, path)


def _read(path: str) -> dict[str, Any] | None:
    try:
        raw = files.read_json(path)
    except files.DamagedFile as error:
        raise _damaged(path) from error
    if raw is not None and not isinstance(raw, dict):
        raise _damaged(path)
    return raw


def _parsed(kind: Any, raw: dict[str, Any], path: str) -> Any:
    if raw.get("format") != FORMAT:
        raise EngineError(
            "",
            f"{path} has format {raw.get('format')!r}, this release reads {FORMAT}",
            remedy="use the release that wrote it",
        )
    try:
        return kind(**raw)
    except TypeError as error:
        raise _damaged(path) from error


def _damaged(path: str) -> EngineError:
    return EngineError(
        "", f"{path} is damaged", remedy="restore it from a copy, or remove its directory and run this again"
    )
