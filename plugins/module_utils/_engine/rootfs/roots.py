# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..._kernel import file_systems, files, trees
from ..._kernel.errors import KernelError
from ..._model.templates import same_source
from .. import store
from ..errors import EngineError
from . import bases, directories, full_disk, leftovers, manifests, overlay, previous, templates
from .manifests import RootManifest
from .overlay import Layers

# Every function here is called under the jail's lock, and all but read() and describe() while no process is in it.

MAKING = "making the root file system"


def read(jail: str) -> RootManifest | None:
    """What a jail's root stands on; None when it has none."""
    return manifests.read_root(directories.manifest(jail), jail)


def refuse_unusable(jail: str, source: Mapping[str, Any]) -> None:
    """Raise EngineError for a source from which prepare() could make nothing, as far as that shows without making it.

    For plans that make a root, in check mode and before the first change of a real run: a template or archive that is
    not there.
    """
    name = source.get("template")
    if name and templates.current(name) is None:
        raise _no_template(jail, name)
    if source.get("archive"):
        from . import archive

        with _blaming_source(jail):
            archive.refuse_unreadable(source["archive"]["path"])


def prepare(jail: str, source: Mapping[str, Any], *, uid_base: int) -> RootManifest:
    """Make a jail's root from a canonical source; one that is there already is kept, if it is from that source.

    A clone of a template takes no time: it stands on the template's current generation and keeps to it. From packages
    or an archive a base of the jail's own is built. ``uid_base`` is the host id of the jail's root. Raises EngineError.
    """
    leftovers.sweep(directories.ROOTS, jail)
    present = read(jail)
    if present is None:
        return _make(jail, source, uid_base)
    if not same_source(present.source, source):
        raise EngineError(
            jail,
            "the root file system was made from another source",
            path="rootfs.source",
            remedy="jail_rootfs with state: reset makes it anew, and throws away what was changed in it",
        )
    _refuse_other_ids(present, uid_base)
    overlay_layers(jail)
    return present


def reset(jail: str, source: Mapping[str, Any], *, uid_base: int, keep: bool = False) -> RootManifest:
    """Make a jail's root anew: every change made in it is gone, and a clone stands on its template's newest generation.

    Where it stands on the right thing already, only its upper layer is thrown away. ``keep``: the root of before stays
    beside it for bring_back(); else one that was kept before goes as well, for the way there would skip a reset.
    """
    leftovers.sweep(directories.ROOTS, jail)
    fitting = _fitting(jail, source, uid_base)
    if keep:
        if fitting and os.path.isdir(directories.previous(jail)) and not os.listdir(overlay_layers(jail).upper):
            # A run that was killed has made it. Nobody has changed it yet, and to keep it would cost the one kept.
            return fitting
        return _make(jail, source, uid_base, keep=True)
    forget_previous(jail)
    if fitting is None:
        return _make(jail, source, uid_base)
    directory = directories.root(jail)
    leftovers.sweep(directory)
    for name in ("upper", "work"):
        leftovers.discard(f"{directory}/{name}")
    overlay_layers(jail)
    return fitting


def _fitting(jail: str, source: Mapping[str, Any], uid_base: int) -> RootManifest | None:
    """The root that a jail has, if one that is made now would stand on the same."""
    present = read(jail)
    if present and present.uid_base == uid_base and same_source(present.source, source) and not is_stale(present):
        return present
    return None


def bring_back(jail: str) -> None:
    """Give a jail the root that it had before its last reset, with every change that had been made in it."""
    leftovers.sweep(directories.ROOTS, jail)
    replaced = _template_of(jail)
    with templates.references():
        previous.bring_back(jail)
    if replaced:
        templates.prune(replaced)


def forget_previous(jail: str) -> None:
    """Remove the root that was kept at the last reset, and the template generation that only it stood on."""
    template = _template(previous.read, jail)
    if previous.forget(jail) and template:
        templates.prune(template)


def remove(jail: str) -> bool:
    """Remove a jail's root; whether there was one. A template generation that nobody else stands on goes with it.

    That first: until what was put away is gone, the next run knows from it what is left to do.
    """
    present = os.path.isdir(directories.root(jail))
    for path in (directories.previous(jail), directories.root(jail)):
        leftovers.put_away(path)
    paths = [f"{directories.ROOTS}/{entry}" for entry in leftovers.of(directories.ROOTS, jail)]
    for template in {_template(manifests.read_root, f"{path}/rootfs.json") for path in paths} - {""}:
        templates.prune(template)
    leftovers.sweep(directories.ROOTS, jail)
    return present


def overlay_layers(jail: str) -> Layers:
    """The layers to mount as the jail's root; those that a killed reset has left out are made. EngineError: no root."""
    manifest = _existing(jail)
    lower = lower_directory(manifest)
    if not os.path.isdir(lower):
        raise EngineError(
            jail,
            f"the root file system stands on {lower}, which is gone",
            path="rootfs",
            remedy="reset it with jail_rootfs",
        )
    with on_file_system(jail, "making the layers of the root file system"):
        return overlay.make_layers(directories.root(jail), lower=lower, owner=manifest.uid_base)


def lower_directory(manifest: RootManifest) -> str:
    """The directory under a jail's own layer, with ids as in the jail; never written to."""
    if manifest.template:
        return f"{directories.generation(manifest.template, manifest.generation)}/rootfs"
    return f"{directories.root(manifest.jail)}/base/rootfs"


def is_stale(manifest: RootManifest) -> bool:
    """Whether the template that a jail stands on has a newer generation."""
    newest = templates.current(manifest.template) if manifest.template else None
    return newest is not None and newest.generation != manifest.generation


def _is_stale_as_far_as_known(manifest: RootManifest) -> bool:
    """Of a template that cannot be read, nobody knows anything newer."""
    with store.passing_over(f"template {manifest.template}"):
        return is_stale(manifest)
    return False


def describe(jail: str) -> dict[str, Any] | None:
    """What people want to know of a jail's root: source, template generation, whether a newer one exists, its own size.

    ``used`` is what the upper layer takes on disk, in bytes. ``previous`` is the root that was kept at the last reset.
    None when there is no root.
    """
    manifest = read(jail)
    if manifest is None:
        return None
    return {
        "source": dict(manifest.source),
        "created": manifest.created,
        "template": manifest.template,
        "generation": manifest.generation,
        "stale": _is_stale_as_far_as_known(manifest),
        "directory": directories.root(jail),
        "used": file_systems.disk_usage(f"{directories.root(jail)}/upper"),
        "previous": _describe_previous(jail),
    }


def _describe_previous(jail: str) -> dict[str, Any] | None:
    manifest = previous.read(jail)
    if manifest is None:
        return None
    return {
        "source": dict(manifest.source),
        "created": manifest.created,
        "generation": manifest.generation,
        "used": file_systems.disk_usage(f"{directories.previous(jail)}/upper"),
    }


def _make(jail: str, source: Mapping[str, Any], uid_base: int, *, keep: bool = False) -> RootManifest:
    store.prepare_directories()
    files.make_directory(directories.ROOTS)
    overlay.refuse_unfit_file_system(jail, directories.ROOTS)
    manifest = begun(jail, source, uid_base)
    replaced = _template_of(jail)
    partial = leftovers.new_partial(directories.ROOTS, jail)
    try:
        with on_file_system(jail, MAKING):
            made = _clone(manifest, partial, keep) if source.get("template") else _build(manifest, partial, keep)
    finally:
        trees.remove_tree(partial)
    if replaced:
        templates.prune(replaced)
    return made


def begun(jail: str, source: Mapping[str, Any], uid_base: int) -> RootManifest:
    """What is known of a root before it is made."""
    return RootManifest(jail, source, uid_base, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def _clone(manifest: RootManifest, partial: str, keep: bool) -> RootManifest:
    """The reference to the generation is there before anybody can prune it: both hold the same lock."""
    with templates.references():
        manifest, lower = standing(manifest)
        _complete(manifest, partial, lower=lower)
        return _put_in_place(manifest, partial, keep)


def standing(manifest: RootManifest) -> tuple[RootManifest, str]:
    """A root on the present generation of its template, and the directory of that. Callers hold the references."""
    name = manifest.source["template"]
    generation = templates.current(name)
    if generation is None:
        raise _no_template(manifest.jail, name)
    return replace(manifest, template=name, generation=generation.generation), templates.rootfs(generation)


def _build(manifest: RootManifest, partial: str, keep: bool) -> RootManifest:
    base = f"{partial}/base"
    os.mkdir(base, 0o700)
    with _blaming_source(manifest.jail):
        facts = bases.fill(base, manifest.source, shared=False)
    manifest = replace(manifest, facts=facts)
    _complete(manifest, partial, lower=f"{base}/rootfs")
    with templates.references():
        return _put_in_place(manifest, partial, keep)


def _complete(manifest: RootManifest, partial: str, *, lower: str) -> None:
    """Everything durable, before it is renamed into place."""
    from ..._kernel import write_barriers

    overlay.make_layers(partial, lower=lower, owner=manifest.uid_base)
    manifests.write(f"{partial}/rootfs.json", manifest)
    if not manifest.template:
        write_barriers.sync_file_system(partial)


def _put_in_place(manifest: RootManifest, partial: str, keep: bool) -> RootManifest:
    """One rename; an older root of the jail is out of the way just before it. The caller holds the references."""
    if keep:
        previous.set_aside(manifest.jail)
    rename(manifest.jail, partial)
    files.sync_directory(directories.ROOTS)
    return manifest


def rename(jail: str, partial: str) -> None:
    """Have what was made aside be the root of a jail. Callers hold the references."""
    path = directories.root(jail)
    leftovers.discard(path)
    os.rename(partial, path)


def _existing(jail: str) -> RootManifest:
    manifest = read(jail)
    if manifest is None:
        raise EngineError(jail, "it has no root file system", path="rootfs", remedy="make one with jail_rootfs")
    return manifest


def _template_of(jail: str) -> str:
    return _template(read, jail)


def _template(reader: Callable[[str], RootManifest | None], where: str) -> str:
    """The template under a root that may be damaged: then its old generations stay until the next prune."""
    try:
        manifest = reader(where)
    except EngineError:
        return ""
    return manifest.template if manifest else ""


def _refuse_other_ids(manifest: RootManifest, uid_base: int) -> None:
    if manifest.uid_base != uid_base:
        raise EngineError(
            manifest.jail,
            f"its files belong to ids from {manifest.uid_base} on, but it now has those from {uid_base} on",
            path="rootfs",
            remedy="restore /var/lib/jails/allocations.json, or reset the root file system with jail_rootfs",
        )


def _no_template(jail: str, name: str) -> EngineError:
    from ..._model.place import did_you_mean

    known = templates.names()
    others = did_you_mean(name, known) if known else "there are no templates yet"
    return EngineError(
        jail,
        f"there is no template {name}",
        path="rootfs.source.template",
        remedy=f"build it first, with jail_rootfs template={name} or by the role templates (jails_templates); {others}",
    )


@contextmanager
def _blaming_source(jail: str) -> Iterator[None]:
    """Say which jail it is that a base could not be built for."""
    try:
        yield
    except EngineError as error:
        path = f"rootfs.{error.path}" if error.path.startswith("source") else error.path
        raise EngineError(jail, error.message, path=path, remedy=error.remedy) from error


@contextmanager
def on_file_system(jail: str, what: str) -> Iterator[None]:
    """Say whose root could not be made or changed, and whether the disk is full."""
    try:
        yield
    except (OSError, KernelError) as error:
        if file_systems.is_full(error.errno):
            raise full_disk.full(jail, what, directories.ROOTS) from error
        raise EngineError(jail, f"{what}: {error}", path="rootfs") from error
