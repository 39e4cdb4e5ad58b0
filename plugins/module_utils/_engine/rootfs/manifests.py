# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from ..._kernel import files
from .. import store
from ..errors import DamagedRecord

FORMAT = 1
_KINDS = {"str": str, "int": int, "Mapping[str, Any]": dict}


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


_Manifest = TypeVar("_Manifest", TemplateManifest, RootManifest)


def write(path: str, manifest: TemplateManifest | RootManifest, *, sync: bool = True) -> None:
    """Store a manifest so that it survives a power cut, if it is to ``sync``."""
    files.write_json(path, asdict(manifest), sync=sync)


def read_template(path: str) -> TemplateManifest | None:
    """The manifest of a generation, None where there is none."""
    with _damaged("", "restore it from a copy, or remove its directory and build the template again"):
        return _read(TemplateManifest, path)


def read_root(path: str, jail: str = "") -> RootManifest | None:
    """The manifest of a jail's root, None where there is none."""
    with _damaged(jail, "restore it from a copy; state: absent, and state: stopped alone, do without it"):
        return _read(RootManifest, path)


def reading(jail: str, *, sure: bool) -> contextlib.AbstractContextManager[None]:
    """Look at what a jail stands on: who has to be ``sure`` of it gets DamagedRecord, the others go on without."""
    return contextlib.nullcontext() if sure else store.passing_over(jail)


def _read(kind: type[_Manifest], path: str) -> _Manifest | None:
    """_Damage where it is something else."""
    raw = files.read_json(path)
    if raw is None:
        return None
    if not isinstance(raw, dict) or isinstance(raw.get("format"), bool):
        raise _Damage(f"{path} holds no manifest")
    if raw.get("format") != FORMAT:
        raise _Damage(f"{path} has format {raw.get('format')!r}, this release reads {FORMAT}")
    kinds = {each.name: _KINDS[str(each.type)] for each in fields(kind)}
    if not all(name in kinds and isinstance(value, kinds[name]) for name, value in raw.items()):
        raise _Damage(f"{path} says what no manifest says")
    try:
        return kind(**raw)
    except TypeError as error:
        raise _Damage(f"{path} does not say all") from error


class _Damage(Exception):
    pass


@contextlib.contextmanager
def _damaged(jail: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except (_Damage, files.DamagedFile) as error:
        raise DamagedRecord(jail, f"damaged: {error}", remedy=remedy) from error
