# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..._kernel import files, trees
from ..._kernel.errors import KernelError
from ..._model.templates import same_source
from .. import store
from ..errors import DamagedRecord, EngineError
from . import bases, directories, leftovers, manifests, previous
from .manifests import TemplateManifest

if TYPE_CHECKING:
    # Every module carries the same engine, whichever of them installs it: see install.py.
    from . import template_task  # noqa: F401

# As long as a slow mirror may need: whoever waits finds the template built.
_BUILD_PATIENCE = 1800.0
_MOMENT = 60.0
# What is in the file that marks a generation as withdrawn; otherwise nothing is.
_KEPT = "kept\n"


def current(name: str) -> TemplateManifest | None:
    """The generation that new clones of a template stand on; None when there is no such template.

    Also where it is not known any more which that is: the next build says so anew.
    """
    identity = ""
    # Another may become current while we look, and then the one that was it goes.
    while identity != (stated := _stated(name)):
        identity = stated
        manifest = _manifest(name, identity) if identity in directories.entries(directories.template(name)) else None
        if manifest:
            return manifest
    return None


def _stated(name: str) -> str:
    with contextlib.suppress(UnicodeDecodeError, KernelError):
        return (files.read_text(f"{directories.template(name)}/current") or "").strip()
    return ""


def generations(name: str) -> list[TemplateManifest]:
    """All finished generations of a template, oldest first."""
    names = (entry for entry in directories.entries(directories.template(name)) if not entry.startswith("."))
    found = (_manifest(name, entry) for entry in names if entry != "current")
    return [manifest for manifest in found if manifest]


def names() -> list[str]:
    """Names of all templates that can be cloned, sorted."""
    return [name for name in directories.entries(directories.TEMPLATES) if name[0] != "." and current(name)]


def rootfs(manifest: TemplateManifest) -> str:
    """Directory of a generation's tree: ids as in the jail, owned by the host's root, never changed."""
    return f"{directories.generation(manifest.template, manifest.generation)}/rootfs"


def describe(name: str) -> dict[str, Any] | None:
    """What people want to know of a template: source, generation, packages, jails on it. None when there is none."""
    manifest = current(name)
    if manifest is None:
        return None
    facts = {key: manifest.facts[key] for key in ("suite", "checksum", "packages") if key in manifest.facts}
    return {
        "name": name,
        "state": "present",
        "source": dict(manifest.source),
        "generation": manifest.generation,
        "generations": [each.generation for each in generations(name)],
        "created": manifest.created,
        "directory": rootfs(manifest),
        "jails": users(name),
        **facts,
    }


def clones(name: str, *, sure: bool = False) -> dict[str, str]:
    """Jails that stand on a template, with the generation of each.

    A root whose manifest is damaged is passed over. Who has to be ``sure`` gets DamagedRecord for it.
    """
    found = {}
    for jail in directories.entries(directories.ROOTS):
        if jail.startswith("."):
            continue
        with manifests.reading(jail, sure=sure):
            manifest = manifests.read_root(directories.manifest(jail), jail)
            if manifest and manifest.template == name:
                found[jail] = manifest.generation
    return found


def users(name: str, *, sure: bool = False) -> list[str]:
    """Names of the jails for which a template must stay: they stand on it, or keep an earlier root that does."""
    return sorted({*clones(name, sure=sure), *previous.on_template(name, sure=sure)})


@contextlib.contextmanager
def references() -> Iterator[None]:
    """Hold still which jail stands on which generation: to add such a reference, or to remove what has none."""
    with files.Lock(directories.references_lock(), timeout=_MOMENT):
        yield


def ensure(name: str, source: Mapping[str, Any], *, patience: float = _BUILD_PATIENCE) -> TemplateManifest:
    """The current generation if it was built from ``source``, else a new one: see build()."""
    present = current(name)
    if present and same_source(present.source, source):
        return present
    return build(name, source, instead_of=present.generation if present else "", patience=patience)


def build(
    name: str, source: Mapping[str, Any], *, instead_of: str = "", patience: float = _BUILD_PATIENCE
) -> TemplateManifest:
    """A new generation instead of the one called so (empty: instead of none), which is now current.

    Builders of one template wait for each other, up to ``patience`` seconds, and find the work done if it was the
    same. Raises EngineError: busy, or why it cannot be built.
    """
    with _waiting(name), _building(name, patience):
        return _finished_before(name, source, instead_of) or _build(name, source)


def switch(name: str, identity: str, *, keep_newer: bool = False) -> None:
    """Make a finished generation the current one, and withdraw those that are newer: a build does not take them up.

    A newer one stays only as long as jails stand on it, or with ``keep_newer`` until something newer than that is
    built. Raises EngineError: busy, or there is no such generation.
    """
    with _waiting(name), _building(name, _MOMENT):
        found = generations(name)
        if identity not in [manifest.generation for manifest in found]:
            raise _error(name, f"there is no generation {identity}", path="generation", remedy=_choices(found))
        for manifest in found:
            _withdraw(manifest, manifest.generation > identity, kept=keep_newer)
        files.write_atomic(f"{directories.template(name)}/current", f"{identity}\n", mode=0o600)
        prune(name)


def settle(name: str) -> None:
    """Remove what a killed builder left, if nobody is building; for runs that have nothing else to do."""
    with contextlib.suppress(files.LockBusy), _building(name, 0):
        prune(name)


def prune(name: str) -> list[str]:
    """Remove the generations that are neither current, nor under a jail, nor newer and kept; their names.

    None of them while a record is damaged that may speak of any.
    """
    with references():
        try:
            present, found = current(name), generations(name)
            kept = {*clones(name, sure=True).values(), *previous.on_template(name, sure=True).values()}
        except DamagedRecord:
            return []
        if not present and os.path.lexists(f"{directories.template(name)}/current"):
            return []
        if present:
            newer = [manifest for manifest in found if manifest.generation > present.generation]
            kept |= {present.generation, *(manifest.generation for manifest in newer if is_kept(manifest))}
        stale = [manifest.generation for manifest in found if manifest.generation not in kept]
        for identity in stale:
            leftovers.discard(directories.generation(name, identity))
    return stale


def remove(name: str) -> bool:
    """Remove a template with all its generations; whether there was one. EngineError while jails stand on it."""
    path = directories.template(name)
    with _waiting(name), _building(name, _MOMENT), references():
        jails = users(name, sure=True)
        if jails:
            raise _error(
                name,
                f"it is in use by {'jail' if len(jails) == 1 else 'jails'} {', '.join(jails)}",
                remedy="remove these jails first, or give them another source",
            )
        existed = current(name) is not None
        leftovers.discard(path)
        leftovers.sweep(directories.TEMPLATES, name)
    return existed


@contextlib.contextmanager
def _waiting(name: str) -> Iterator[None]:
    try:
        yield
    except files.LockBusy as error:
        raise _error(name, "somebody else is building it", remedy="wait for that to end and run this again") from error


@contextlib.contextmanager
def _building(name: str, patience: float) -> Iterator[None]:
    """Be the only builder of a template, with what a killed one left swept away."""
    store.prepare_directories()
    with files.Lock(directories.build_lock(name), timeout=patience):
        leftovers.sweep(directories.template(name))
        yield


def _build(name: str, source: Mapping[str, Any]) -> TemplateManifest:
    from ..._kernel import write_barriers

    manifest = TemplateManifest(name, directories.new_identity(), source, _now())
    files.make_directory(directories.template(name))
    partial = leftovers.new_partial(directories.template(name), manifest.generation)
    try:
        facts = _filled(manifest, partial)
        manifest = TemplateManifest(name, manifest.generation, source, manifest.created, facts)
        manifests.write(f"{partial}/manifest.json", manifest)
        write_barriers.sync_file_system(partial)
        os.rename(partial, directories.generation(name, manifest.generation))
    except BaseException:
        trees.remove_tree(partial)
        _remove_if_empty(directories.template(name))
        raise
    _publish(manifest)
    return manifest


def _filled(manifest: TemplateManifest, partial: str) -> dict[str, Any]:
    try:
        return bases.fill(partial, manifest.source, shared=True)
    except EngineError as error:
        raise _error(manifest.template, error.message, path=error.path, remedy=error.remedy) from error


def _finished_before(name: str, source: Mapping[str, Any], instead_of: str) -> TemplateManifest | None:
    """A newer generation from the same source: another builder's, who may have been killed before it became current."""
    for manifest in reversed(generations(name)):
        if manifest.generation <= instead_of:
            return None
        if same_source(manifest.source, source) and not _is_withdrawn(manifest):
            _publish(manifest)
            return manifest
    return None


def _publish(manifest: TemplateManifest) -> None:
    path = directories.template(manifest.template)
    files.sync_directory(path)
    files.write_atomic(f"{path}/current", f"{manifest.generation}\n", mode=0o600)
    prune(manifest.template)


def _manifest(name: str, identity: str) -> TemplateManifest | None:
    return manifests.read_template(f"{directories.generation(name, identity)}/manifest.json")


def _withdrawn(manifest: TemplateManifest) -> str:
    return f"{directories.generation(manifest.template, manifest.generation)}/withdrawn"


def _is_withdrawn(manifest: TemplateManifest) -> bool:
    return os.path.exists(_withdrawn(manifest))


def is_kept(manifest: TemplateManifest) -> bool:
    """Whether a generation was withdrawn by somebody who wants it to be taken up again, though no jail stands on it."""
    return files.read_text(_withdrawn(manifest)) == _KEPT


def _withdraw(manifest: TemplateManifest, withdrawn: bool, *, kept: bool) -> None:
    if withdrawn:
        files.write_atomic(_withdrawn(manifest), _KEPT if kept else "", mode=0o600)
    else:
        files.remove_file(_withdrawn(manifest))


def _choices(found: list[TemplateManifest]) -> str:
    return f"there are {', '.join(manifest.generation for manifest in found)}" if found else "build one first"


def _remove_if_empty(path: str) -> None:
    """A template that never was leaves no directory."""
    with contextlib.suppress(OSError):
        os.rmdir(path)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _error(name: str, message: str, *, path: str = "", remedy: str = "") -> EngineError:
    return EngineError("", f"template {name}: {message}", path=path, remedy=remedy)
