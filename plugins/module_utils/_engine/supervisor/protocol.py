# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import json
import socket
from typing import Any

from ..errors import EngineError

_LARGEST = 1 << 16

# Requests are {"do": ...} and answers {"ok": true, ...} or {"ok": false, "error": ..., "path": ..., "remedy": ...}.
# Starts may be asked for without waiting for the answers, which name their "jail" and come in any order.
START = "start"
PING = "ping"
LEAVE = "leave"


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one message: sockets of type SEQPACKET keep their borders."""
    connection.send(json.dumps(message).encode())


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """Next message; None at the end of the connection."""
    data = connection.recv(_LARGEST)
    return json.loads(data) if data else None


def failure(error: Exception) -> dict[str, Any]:
    """An error as an answer."""
    if isinstance(error, EngineError):
        return {"ok": False, "error": error.message, "path": error.path, "remedy": error.remedy}
    return {"ok": False, "error": str(error), "path": "", "remedy": ""}


def raise_failure(jail: str, answer: dict[str, Any] | None) -> dict[str, Any]:
    """The answer, if it is a good one; EngineError if not, or if there is none."""
    if answer is None:
        raise EngineError(jail, "the supervisor went away in the middle of it", remedy="do it again")
    if not answer.get("ok"):
        raise EngineError(
            jail,
            answer.get("error", "the supervisor refused"),
            path=answer.get("path", ""),
            remedy=answer.get("remedy", ""),
        )
    return answer
