# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import hooks
from ..errors import EngineError
from ..supervisor import client
from . import workers
from .failures import Failure, failure_of

Documents = Mapping[str, Mapping[str, Any]]


def start_all(documents: Documents, *, parallel: int) -> dict[str, Failure]:
    """Start jails of which none depends on another, from their effective documents; why some did not, by name.

    As client.start() does it, but with the requests to the supervisor side by side. Callers hold the jails' locks and
    have made their namespaces.
    """
    failures = workers.each(
        lambda name: hooks.run_all(name, "prestart", documents[name]), _hooked(documents, "prestart"), parallel=parallel
    )
    pids: dict[str, int] = {}
    for name, outcome in client.start_all([name for name in documents if name not in failures]):
        if isinstance(outcome, EngineError):
            failures[name] = failure_of(outcome)
        else:
            pids[name] = outcome
    hooked = [name for name in _hooked(documents, "poststart") if name in pids]
    return {
        **failures,
        **workers.each(lambda name: client.make_ready(name, documents[name], pids[name]), hooked, parallel=parallel),
    }


def _hooked(documents: Documents, stage: str) -> list[str]:
    return [name for name in documents if any(hook["stage"] == stage for hook in documents[name]["hooks"])]
