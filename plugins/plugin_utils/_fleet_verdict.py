# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ..module_utils._model.errors import DocumentError
from ..module_utils._model.fleet import across
from ._fleet_calls import Call
from ._fleet_documents import read_documents

# By host and digest of a call: an entry without faults says that there are none.
Judged = dict[str, dict[str, list[list[str]]]]


class Fault(NamedTuple):
    """Something wrong with a jail of a play, and on which of its hosts."""

    host: str
    jail: str
    path: str
    message: str
    remedy: str

    def text(self) -> str:
        """``jail web1: jails[0].limits.memory: 'x' is not a size; write a whole number...``"""
        return str(DocumentError(self.jail, self.path, self.message, self.remedy))

    def line(self) -> str:
        """The text with its host: ``host a: jail web1: ...``"""
        return f"host {self.host}: {self.text()}"


class Verdict:
    """What is wrong with the documents of all hosts of a play, found once for a task and kept in files of the run.

    The task of each host asks from a process of its own. The first one reads all hosts; the others find the answer, and
    look only at documents that have turned out to be others than was foreseen. So a play costs as much as it has
    documents, and not that times its hosts. ``stem`` is the path of the files, without a suffix.
    """

    def __init__(self, stem: str) -> None:
        self._judged = Path(f"{stem}.judged.json")
        self._taken = Path(f"{stem}.taken.json")
        self._lock = Path(f"{stem}.lock")

    def faults(self, own: Call, foresee: Callable[[], Iterable[Call]], *, alone: bool) -> list[Fault]:
        """All faults of the play, those of the own host first.

        ``foresee`` gives the calls of all hosts, the own one among them unless it was not foreseen. ``alone`` says that
        a host has a single call, so that the own one replaces what was judged for it before.
        """
        with self._lock.open("w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            judged: Judged | None = _load(self._judged)
            calls = [own]
            if judged is None:
                judged = {}
                calls = [*foresee(), own]
            if own.digest not in judged.get(own.host, {}):
                self._judge(calls, judged, replaced=own if alone else None)
        faults = [Fault(host, *said) for host, calls in judged.items() for found in calls.values() for said in found]
        return sorted(faults, key=lambda fault: fault.host != own.host)

    def _judge(self, calls: Iterable[Call], judged: Judged, *, replaced: Call | None) -> None:
        taken = {address: (host, owner) for address, (host, owner) in (_load(self._taken) or {}).items()}
        if replaced:
            judged.pop(replaced.host, None)
            taken = {address: entry for address, entry in taken.items() if entry[0] != replaced.target}
        for call in calls:
            if call.digest in judged.get(call.host, {}):
                continue
            members, errors = read_documents(call.arguments)
            errors += across({call.target: members}, taken).get(call.target, [])
            said = [[error.jail, error.path, error.message, error.remedy] for error in errors]
            judged.setdefault(call.host, {})[call.digest] = said
        self._taken.write_text(json.dumps(taken), encoding="utf-8")
        self._judged.write_text(json.dumps(judged), encoding="utf-8")


def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
