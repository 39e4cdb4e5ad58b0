# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..._kernel import file_systems
from ..._kernel.errors import KernelError
from ..errors import EngineError
from . import full_disk

KINDS = ("packages", "archive", "empty")


def fill(directory: str, source: Mapping[str, Any], *, shared: bool) -> dict[str, Any]:
    """Build a base system in ``directory``/rootfs from a ``source`` of packages, archive or empty.

    ``shared``: many jails will stand on it, so it must not carry an identity (machine-id, SSH host keys). Returns
    what the manifest records of it. Raises EngineError without the subject's name, which the caller knows.
    """
    rootfs = f"{directory}/rootfs"
    kind = kind_of(source)
    try:
        os.mkdir(rootfs, 0o755)
        os.chmod(rootfs, 0o755)
        if kind == "packages":
            return _from_packages(rootfs, source["packages"] or {}, log=f"{directory}/build.log", shared=shared)
        if kind == "archive":
            return _from_archive(rootfs, source["archive"], scratch=directory, shared=shared)
        return {}
    except (OSError, KernelError) as error:
        if file_systems.is_full(error.errno):
            raise full_disk.full("", "building the root file system", directory) from error
        raise EngineError("", f"building the root file system: {error}", path=f"source.{kind}") from error


def kind_of(source: Mapping[str, Any]) -> str:
    """The one key of a source that can be built; EngineError for any other."""
    for kind in KINDS:
        if source.get(kind) is not None:
            return kind
    raise EngineError(
        "",
        f"nothing can be built from {', '.join(sorted(source)) or 'nothing'}",
        path="source",
        remedy=f"say one of {', '.join(KINDS)}",
    )


def _from_packages(rootfs: str, options: Mapping[str, Any], *, log: str, shared: bool) -> dict[str, Any]:
    from . import packages

    recipe = packages.resolve(options)
    versions = packages.build(recipe, rootfs, log, shared=shared)
    return {"suite": recipe.suite, "sources": recipe.sources, "packages": versions}


def _from_archive(rootfs: str, options: Mapping[str, Any], *, scratch: str, shared: bool) -> dict[str, Any]:
    from . import archive

    content = archive.extract(options["path"], rootfs, checksum=options.get("checksum"), scratch=scratch, shared=shared)
    return {"checksum": content.checksum, "entries": content.entries, "left_out": list(content.left_out)}
