# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os

from ..._kernel import mounts
from .. import places
from ..errors import blaming
from .recipe import Mount, Recipe
from .tree import Tree


def attach_root(recipe: Recipe, user_namespace: int) -> int:
    """Descriptor of the jail's root: its overlay, attached where only this mount namespace sees it.

    The host's root does this, in the app order and in the system order alike. An overlay cannot be idmapped but its
    layers can (mount_setattr(2), NOTES): the shared lower layer is shown under the jail's ids, and new files are
    written with them. Without a user namespace (-1) both have the host's. Before Linux 6.15 overlay takes no detached
    layer, so the lower one is attached first.

    Without devices: the overlay belongs to the host's user namespace, in which a node that an image brought along
    would open. The jail's root cannot take the flag off (mount_namespaces(7), locked flags).
    """
    stage = f"{places.runtime(recipe.name)}/root"
    with blaming("rootfs", remedy="make it anew with jail_rootfs and state: reset"):
        os.makedirs(stage, exist_ok=True)
        lower = mounts.clone_tree(mounts.AT_FDCWD, recipe.layers.lower)
        if user_namespace >= 0:
            mounts.set_attributes(lower, 0, idmap=user_namespace)
        mounts.attach_at(lower, stage)
        os.close(lower)
        layers = recipe.layers
        options = {"source": recipe.name, "lowerdir": stage, "upperdir": layers.upper, "workdir": layers.work}
        root = mounts.new_filesystem("overlay", options.items(), attributes=mounts.ATTR_NODEV)
        mounts.attach_at(root, stage)
    return root


def attach_mounts(tree: Tree, recipe: Recipe) -> None:
    """The document's mounts, by the host's root; after the engine's own, which would cover what is below them."""
    for mount in recipe.mounts:
        _attach(tree, mount)


def cover_paths(tree: Tree, recipe: Recipe, null: int) -> None:
    """What the document hides or protects, wherever it comes from; ``null`` is as of Tree.mask()."""
    with blaming("caps.masked_paths"):
        tree.mask(recipe.masked_paths, null)
    with blaming("caps.read_only_paths"):
        for path in recipe.read_only_paths:
            tree.make_read_only(path)


def _attach(tree: Tree, mount: Mount) -> None:
    """One of the document's mounts. Its options are locked for the jail's root, whatever privileges he has."""
    attributes = mounts.ATTR_NOSUID | mounts.ATTR_NODEV | (mounts.ATTR_RDONLY if mount.read_only else 0)
    target = mount.target.strip("/")
    if not mount.source:
        with blaming(mount.option):
            tree.tmpfs(target, "1777", attributes, **({"size": mount.size} if mount.size else {}))
        return
    with blaming(f"{mount.option}.source", remedy="make the directory or file on the host first"):
        clone = mounts.clone_tree(mounts.AT_FDCWD, mount.source, recursive=True)
        mounts.set_attributes(clone, attributes, recursive=True)
    with blaming(f"{mount.option}.target"):
        tree.attach(clone, target, directory=os.path.isdir(mount.source))
