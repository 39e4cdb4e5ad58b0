# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
from collections.abc import Container, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from .._kernel import files
from .._kernel.errors import KernelError
from . import places
from .errors import DamagedRecord

STATE_VERSION = 1
_REMEDY = (
    "mend it or restore it from a copy; state: absent, and state: stopped alone, do without it. To "
    "define the jail anew, remove that file: the root file system stays"
)
# Damage by the names of the jails.
_passed_over: dict[str, str] = {}


class RuntimeState(NamedTuple):
    """What the engine did last to a jail.

    ``phase`` is one of starting, running, stopping, stopped, restarting (stopped, to be started again), failed, stuck.
    ``pid`` and ``start_time`` (clock ticks since boot) name the jail's init for ever. ``exit_status`` is as
    os.waitstatus_to_exitcode gives it (negative: a signal), None when it is not known. ``goal`` is what the operator
    wants: running or stopped.
    """

    phase: str
    boot_id: str
    instance: str
    goal: str = "stopped"
    pid: int = 0
    start_time: int = 0
    started_at: float = 0.0
    exit_status: int | None = None
    restarts: int = 0
    message: str = ""
    version: int = STATE_VERSION


_KINDS: dict[str, Any] = {
    **dict.fromkeys(("phase", "boot_id", "instance", "goal", "message"), str),
    **dict.fromkeys(("pid", "start_time", "restarts", "version"), int),
    "started_at": (int, float),
    "exit_status": (int, type(None)),
}


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Identity of the host's present boot: state of an earlier one is void."""
    return (files.read_text("/proc/sys/kernel/random/boot_id") or "").strip()


def new_instance() -> str:
    """A name for one life of a jail, from start to stop."""
    return os.urandom(8).hex()


def prepare_directories() -> None:
    """Make the directories that everything else lives in, readable by the host's root alone."""
    for path in (places.DOCUMENTS, places.STATE, places.RUNTIME, places.LOGS):
        if not os.path.isdir(path):
            files.make_directory(path, mode=0o700)


def names() -> list[str]:
    """Names of all jails that have a document, sorted."""
    try:
        entries = os.listdir(places.DOCUMENTS)
    except FileNotFoundError:
        return []
    return sorted(entry[: -len(".json")] for entry in entries if entry.endswith(".json") and entry[0] != ".")


def read_document(name: str, expected: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The document of a jail as stored, None where there is none.

    DamagedRecord where somebody has edited it into something else. One that equals ``expected``, which is canonical,
    is taken for what it is and not parsed again.
    """
    from .._model.addresses import leaves_choice
    from .._model.document import normalise
    from .._model.errors import DocumentError

    path = places.document(name)
    try:
        document: dict[str, Any] | None = files.read_json(path)
        if document is None:
            return None
        if document == expected and not leaves_choice(document):
            return document
        document = normalise(document, jail=name)
    except files.DamagedFile as error:
        raise DamagedRecord(name, f"damaged: {error}", remedy=_REMEDY) from error
    except DocumentError as error:
        message, remedy = f"{path} is damaged: {error.message}", "; ".join(filter(None, (error.remedy, _REMEDY)))
        raise DamagedRecord(name, message, path=error.path, remedy=remedy) from error
    if leaves_choice(document):
        message, remedy = f"{path} leaves an address open", "write one there, or have a task say it, which chooses one"
        raise DamagedRecord(name, message, path="ip.addresses", remedy=remedy)
    return document


def read_others(without: Container[str] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """The documents of jails by name. One that cannot be read is passed over: that is trouble of its jail."""
    for name in names():
        if name not in without:
            with passing_over(name):
                document = read_document(name)
                if document is not None:
                    yield name, document


@contextlib.contextmanager
def passing_over(name: str) -> Iterator[None]:
    """Go on without what cannot be read of a jail; warnings() tells of it."""
    try:
        yield
    except DamagedRecord as error:
        pass_over(name, error)


def pass_over(name: str, error: DamagedRecord) -> None:
    """Have warnings() tell of what cannot be read of a jail."""
    _passed_over[name] = str(error)


def warnings(without: Container[str] = ()) -> list[str]:
    """What this process went on without, for whoever reads its results."""
    return [f"went on without a record: {text}" for name, text in _passed_over.items() if name not in without]


def write_document(name: str, document: dict[str, Any]) -> None:
    """Store a document so that it survives a power cut."""
    files.write_json(places.document(name), document)


def write_documents(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, KernelError]:
    """Store many documents so that they survive a power cut; those that could not be stored, by name, with why."""
    from .._kernel.bulk_files import write_json_all

    paths = {name: os.path.basename(places.document(name)) for name in documents}
    failed = write_json_all(places.DOCUMENTS, {paths[name]: documents[name] for name in documents})
    return {name: failed[path] for name, path in paths.items() if path in failed}


def remove_document(name: str) -> None:
    """Forget a document."""
    files.remove_file(places.document(name))


def read_state(name: str) -> RuntimeState | None:
    """What the engine did last to a jail in this boot; None when nothing, or nothing that can be read.

    A damaged file counts as none: the kernel's state decides then, and it is written anew by the next start.
    """
    try:
        raw = files.read_json(places.state(name))
    except files.DamagedFile:
        return None
    if not isinstance(raw, dict) or raw.get("version") != STATE_VERSION or raw.get("boot_id") != boot_id():
        return None
    known = {name: value for name, value in raw.items() if name in _KINDS and isinstance(value, _KINDS[name])}
    return RuntimeState(**known) if known == raw and {"phase", "instance"} <= known.keys() else None


def write_state(name: str, state: RuntimeState) -> None:
    """Record what the engine does to a jail. It need not survive a power cut, so nothing is synced."""
    files.make_directory(places.runtime(name))
    files.write_record(places.state(name), state._asdict())


def note_state(name: str, state: RuntimeState) -> None:
    """Record what may as well stay unsaid: a full /run must not keep a jail from being stopped or removed."""
    with contextlib.suppress(KernelError):
        write_state(name, state)


def read_started(name: str, expected: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The effective document that a running jail was started with; ``expected`` is as of read_document()."""
    try:
        document = files.read_json(places.started_document(name))
    except files.DamagedFile:
        return None
    return document if document == expected else _effective(document, name)


def _effective(document: Any, name: str) -> dict[str, Any] | None:
    from .._model.document import effective, normalise
    from .._model.errors import DocumentError

    try:
        return effective(normalise(document, jail=name)) if document else None
    except DocumentError:
        return None


def remove_runtime(name: str) -> None:
    """Forget everything about a jail that belongs to this boot; its namespaces must have been let go before."""
    with contextlib.suppress(KernelError):
        files.remove_file(places.output(name))
    from .._kernel import trees  # Most calls remove nothing.

    trees.remove_tree(places.runtime(name))


def documents_lock() -> files.Lock:
    """The lock of whoever compares one jail's document with those of the others, and then writes it."""
    return files.Lock(f"{places.RUNTIME}/.documents.lock")


def lock(name: str, *, timeout: float = 60.0) -> files.Lock:
    """The lock that whoever changes a jail holds."""
    prepare_directories()
    return files.Lock(places.lock(name), timeout=timeout)
