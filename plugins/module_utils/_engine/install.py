# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
import sys
from functools import lru_cache, partial
from hashlib import sha256
from typing import TYPE_CHECKING

from .._kernel import files, trees
from . import places
from .errors import EngineError
from .steps import Step

if TYPE_CHECKING:
    # Ansible packs into a module what import statements name, whether they are executed or not: with these, every
    # module that can start a jail carries the whole engine.
    from . import boot, traces  # noqa: F401
    from .cli import main  # noqa: F401
    from .fleet import converge  # noqa: F401

PREFIX = "/usr/local/lib/hosting.jails"
COMMAND = "/usr/local/sbin/jailctl"
PACKAGE = "hosting_jails"

_LAYERS = ("_model", "_kernel", "_engine")
# The glue to Ansible, on the host and on the controller, is of no use to an engine by itself.
_LEFT_OUT = ("_engine/module.py", "_model/documentation.py")
# Written last and removed first: an engine without it is a part of one.
_COMPLETE = "complete"
_INTERPRETER = "/usr/bin/python3"
_LOCAL_PROGRAMS = "/usr/local/bin"

# Without the orderly end of an interpreter: it frees what the kernel frees anyway, in a sixth of the time of an exec.
# Nor does it look for garbage while it imports: there is none, and that takes a tenth of the time of a list. See main.
_ENTRY = """import gc, os, sys
gc.disable()
sys.path.insert(0, {directory!r})
from {package}._engine.cli.main import main
status = main(sys.argv)
sys.stdout.flush()
os._exit(status)
"""


@lru_cache(maxsize=1)
def sources() -> dict[str, bytes]:
    """The engine's own source files by their path below the package, wherever this process got them from.

    That is a directory for jailctl, and the zip file of its payload for an Ansible module.
    """
    root, archive = _origin()
    if archive:
        return _from_archive(archive, root)
    found = {}
    for layer in _LAYERS:
        for directory, _unused, names in os.walk(f"{root}/{layer}"):
            for name in sorted(names):
                path = os.path.relpath(f"{directory}/{name}", root)
                if _belongs(path):
                    with open(f"{directory}/{name}", "rb") as file:
                        found[path] = file.read()
    return found


def _belongs(path: str) -> bool:
    """Ansible puts an empty file into each package of a payload: without them an engine has one digest everywhere."""
    return path.endswith(".py") and path not in _LEFT_OUT and not path.endswith("/__init__.py")


def _origin() -> tuple[str, str]:
    """Where the layers lie: a directory, or a prefix inside an archive."""
    path = os.path.abspath(__file__)
    root = os.path.dirname(os.path.dirname(path))
    if os.path.isdir(root):
        return root, ""
    archive = root
    while archive != "/" and not os.path.isfile(archive):
        archive = os.path.dirname(archive)
    return os.path.relpath(root, archive), archive


def _from_archive(archive: str, root: str) -> dict[str, bytes]:
    import zipfile

    prefixes = tuple(f"{root}/{layer}/" for layer in _LAYERS)
    with zipfile.ZipFile(archive) as bundle:
        paths = {os.path.relpath(name, root): name for name in bundle.namelist() if name.startswith(prefixes)}
        return {path: bundle.read(name) for path, name in paths.items() if _belongs(path)}


@lru_cache(maxsize=1)
def engine_version() -> str:
    """A name for this very engine: a digest of its sources, by which its directory is called once it is installed."""
    own = os.path.abspath(__file__)
    if own.startswith(f"{PREFIX}/"):
        return own[len(PREFIX) + 1 :].partition("/")[0]
    digest = sha256()
    for path, content in sorted(sources().items()):
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def installed() -> bool:
    """Whether this very engine is on the host and jailctl runs it."""
    return files.read_text(f"{_directory()}/{_COMPLETE}") is not None and files.read_text(COMMAND) == _command_text()


def ensure_engine() -> list[str]:
    """Put this engine on the host, if it is not there; the command line that runs it.

    A supervisor lives longer than the task that needs it, and a module's payload is gone with the task.
    """
    if not installed():
        install()
    return [interpreter(), "-I", "-S", f"{_directory()}/jailctl.py"]


def install() -> None:
    """Write the engine and jailctl; other versions stay, as a supervisor may run from one of them."""
    directory = _directory()
    files.make_directory(PREFIX, mode=0o755)
    for path, content in sources().items():
        target = f"{directory}/{PACKAGE}/{path}"
        files.make_directory(os.path.dirname(target), mode=0o755)
        files.write_atomic(target, content, mode=0o644, sync=False)
    entry = _ENTRY.format(directory=directory, package=PACKAGE)
    files.write_atomic(f"{directory}/jailctl.py", entry, mode=0o644, sync=False)
    _compile(directory)
    files.write_atomic(f"{directory}/{_COMPLETE}", engine_version() + "\n", mode=0o644)
    files.make_directory(os.path.dirname(COMMAND), mode=0o755)
    for link in _links():
        if not _is_taken(link):
            os.symlink(os.path.basename(COMMAND), link)
    files.write_atomic(COMMAND, _command_text(), mode=0o755)


def _links() -> list[str]:
    """The other names of jailctl."""
    return [f"{os.path.dirname(COMMAND)}/{name}" for name in places.OTHER_NAMES]


def _is_taken(link: str) -> bool:
    """Whether the host's administrator has something of that name.

    A distribution's program (jexec of Java, jls of The Sleuth Kit) is no reason: on a jail host the name means jails,
    and that program keeps its path.
    """
    return os.path.lexists(link) or os.path.lexists(f"{_LOCAL_PROGRAMS}/{os.path.basename(link)}")


def _compile(directory: str) -> None:
    """Byte code beside the sources: jailctl starts in a third of the time."""
    import compileall
    import glob

    # importlib writes module.pyc.NUMBER and renames it; where a killed installation left one, it gives up.
    for path in glob.glob(f"{directory}/**/*.pyc.*", recursive=True):
        files.remove_file(path)
    compileall.compile_dir(directory, quiet=2)


def versions() -> list[str]:
    """Versions of the engine that are on the host."""
    try:
        return sorted(entry for entry in os.listdir(PREFIX) if entry[0] != ".")
    except FileNotFoundError:
        return []


def plan() -> list[Step]:
    """What it takes to have this very engine on the host, and no other."""
    steps = [] if installed() else [Step(f"install engine {engine_version()} and {COMMAND}", install)]
    others = [version for version in versions() if version != engine_version()]
    return steps + [Step(f"remove engine {version}", partial(_remove_version, version)) for version in others]


def plan_removal() -> list[Step]:
    """What it takes to have no engine on the host. EngineError while jails run, which it would leave unwatched."""
    from . import status, store

    alive = [name for name in store.names() if status.run_state(name) in ("running", "frozen")]
    if alive:
        raise EngineError("", f"jails run on this host: {', '.join(alive)}", remedy="stop them first")
    steps = [Step(f"remove engine {version}", partial(_remove_version, version)) for version in versions()]
    if not steps and os.path.isdir(PREFIX) and not os.listdir(PREFIX):
        steps.append(Step(f"remove {PREFIX}", _remove_prefix))
    if _has_command():
        steps.append(Step(f"remove {COMMAND}", _remove_command))
    return steps


def _remove_version(version: str) -> None:
    """A supervisor that runs from it hands its jails over first: it could not import the rest of itself any more."""
    from .supervisor import client

    client.dismiss(unless=engine_version() if installed() else "")
    files.remove_file(f"{PREFIX}/{version}/{_COMPLETE}")
    trees.remove_tree(f"{PREFIX}/{version}")
    _remove_prefix()


def _remove_prefix() -> None:
    with contextlib.suppress(OSError):
        os.rmdir(PREFIX)


def _has_command() -> bool:
    """Whether jailctl is there, or a part of it: its other names come before it, and an installation can be killed."""
    return bool(_own_links()) or any(map(os.path.exists, (COMMAND, files.temporary_of(COMMAND))))


def _own_links() -> list[str]:
    return [link for link in _links() if os.path.islink(link) and os.readlink(link) == os.path.basename(COMMAND)]


def _remove_command() -> None:
    for link in _own_links():
        files.remove_file(link)
    files.remove_file(COMMAND)


def interpreter() -> str:
    """The Python that the engine runs on: the distribution's, whose pyroute2 it uses, else the one that runs us."""
    for candidate in (_INTERPRETER, sys.executable):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise EngineError("", "this host has no Python interpreter for jailctl", remedy="install python3")


def _directory() -> str:
    return f"{PREFIX}/{engine_version()}"


def _command_text() -> str:
    """jailctl: isolated from the caller's environment and directory (-I), and without site (-S), which costs 10 ms."""
    return f"#!{interpreter()} -IS\n" + _ENTRY.format(directory=_directory(), package=PACKAGE)
