# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The roots of many jails that stand on templates, made together."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from ..._kernel import files, trees, write_barriers
from ..._kernel.errors import KernelError
from .. import store
from ..errors import EngineError
from . import directories, leftovers, manifests, overlay, roots, templates


def make_all(wanted: Mapping[str, tuple[Mapping[str, Any], int]]) -> dict[str, Exception | None]:
    """Make the roots of jails that stand on templates, by source and uid base, as roots.prepare() does it for each.

    All are made aside, then brought to the disk together, then renamed: it is waited for once. What became of each:
    done (None), or why not. A jail that has a root already is left to that.
    """
    if not wanted:
        return {}
    store.prepare_directories()
    files.make_directory(directories.ROOTS)
    outcome: dict[str, Exception | None] = {}
    made: dict[str, str] = {}
    with ExitStack() as partials, templates.references():
        for jail, (source, uid_base) in wanted.items():
            try:
                leftovers.sweep(directories.ROOTS, jail)
                if roots.read(jail) is None:
                    made[jail] = _make_aside(jail, source, uid_base, partials)
            except (EngineError, KernelError) as error:
                outcome[jail] = error
        if made:
            write_barriers.sync_file_system(directories.ROOTS)
        for jail, partial in made.items():
            try:
                with roots.on_file_system(jail, roots.MAKING):
                    roots.rename(jail, partial)
                outcome[jail] = None
            except EngineError as error:
                outcome[jail] = error
        files.sync_directory(directories.ROOTS)
    return outcome


def _make_aside(jail: str, source: Mapping[str, Any], uid_base: int, partials: ExitStack) -> str:
    overlay.refuse_unfit_file_system(jail, directories.ROOTS)
    partial = leftovers.new_partial(directories.ROOTS, jail)
    partials.callback(trees.remove_tree, partial)
    with roots.on_file_system(jail, roots.MAKING):
        manifest, lower = roots.standing(roots.begun(jail, source, uid_base))
        overlay.make_layers(partial, lower=lower, owner=uid_base)
        manifests.write(f"{partial}/rootfs.json", manifest, sync=False)
    return partial
