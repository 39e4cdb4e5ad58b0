# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

from ..._kernel.errors import KernelError
from ..._model.dependencies import start_order, stop_order
from ..._model.document import effective
from ..._model.errors import DocumentError
from ..._model.names import jail_name
from ..._model.planner import Wanted
from .. import status, store
from ..apply import verify_start
from ..converge import converge
from ..errors import EngineError
from .streams import complain
from .usage import UsageError


def _named(words: list[str]) -> list[str]:
    if not words or any(word.startswith("-") for word in words):
        raise UsageError("this command takes names of jails, and no options")
    known = store.names()
    for name in words:
        if jail_name(name) not in known:
            raise EngineError(name, "there is no such jail on this host", remedy="jailctl list")
    return words


def _to_state(state: str) -> Callable[[list[str]], int]:
    def command(words: list[str]) -> int:
        return _each(_ordered(_named(words), stopping=state == "stopped"), state)

    return command


def _each(names: Iterable[str], state: str) -> int:
    """Bring each jail into a state; one that fails does not keep the others from it."""
    changed: list[str] = []
    failed: list[str] = []
    for name in names:
        with _complaining(name, failed):
            result = converge(Wanted(jail=name, state=state), apply_mode="live", check=False, verify=False)
            changed += [name] if result["changed"] else []
    for name in changed if state in ("started", "restarted") else ():
        with _complaining(name, failed):
            verify_start(name)
    for warning in store.warnings(without=failed):
        complain(warning)
    return 1 if failed else 0


@contextlib.contextmanager
def _complaining(name: str, failed: list[str]) -> Iterator[None]:
    try:
        yield
    except (DocumentError, EngineError, KernelError) as error:
        complain(str(error))
        failed.append(name)


def _ordered(names: list[str], *, stopping: bool) -> list[str]:
    """The named jails in the order of their dependencies, and with them all that a start needs.

    What runs already need not be started, if its document is damaged.
    """
    readable = dict(store.read_others())
    documents = {name: effective(readable.get(name, {"name": name})) for name in store.names()}
    if stopping:
        return [name for name in stop_order(documents) if name in names]
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            needed = documents[name]["depends"] if name in documents else []
            waiting += [other for other in needed if other in readable or not status.is_alive(store.read_state(other))]
    return [name for name in start_order(documents) if name in wanted]


def _boot(words: list[str]) -> int:
    if words:
        raise UsageError("boot takes nothing")
    names = [name for name, document in store.read_others() if document.get("autostart")]
    return _each(_ordered(names, stopping=False), "started") or int(bool(store.warnings()))


def _shutdown(words: list[str]) -> int:
    if words:
        raise UsageError("shutdown takes nothing")
    return _each(_ordered(store.names(), stopping=True), "stopped")


def _supervise(words: list[str]) -> int:
    from ..install import engine_version
    from ..supervisor.server import main

    return main(engine_version(), stay="--stay" in words)


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "start": _to_state("started"),
    "stop": _to_state("stopped"),
    "restart": _to_state("restarted"),
    "freeze": _to_state("frozen"),
    "thaw": _to_state("started"),
    "boot": _boot,
    "shutdown": _shutdown,
    "supervisor": _supervise,
}
