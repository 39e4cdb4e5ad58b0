# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from typing import Any

from ..._kernel import processes
from ..._kernel.errors import KernelError
from ..._model.document import effective
from ..._model.errors import DocumentError
from ..._model.profiles import privileges_of
from .. import endings, places, status, store
from ..endings import Ending
from ..errors import EngineError
from ..store import RuntimeState

LONGEST_DELAY = 300.0
# A jail that ran this long has recovered: its next failure is the first one again.
HEALTHY_SECONDS = 60.0
# What an init ends by when somebody in its pid namespace has called reboot(2), by what it was called for.
_REBOOT, _POWER_OFF = -signal.SIGHUP, -signal.SIGINT


def settle(name: str, instance: str, exit_status: int | None) -> None:
    """Clear the remains of a jail whose init has ended by itself, and record how it ended.

    Waits for the jail's lock: when whoever holds it is stopping or restarting this jail, there is nothing left to do.
    """
    with store.lock(name) as lock:
        state = store.read_state(name)
        if state is None and not os.path.exists(places.document(name)):
            # It was removed while we waited; so was the lock, which we have made anew.
            lock.remove()
        if state is None or state.instance != instance or state.phase != "running" or status.is_alive(state):
            return
        phase, ending = _verdict(name, exit_status)
        # Before the phase, which others wait for.
        endings.note(name, ending)
        store.note_state(name, state._replace(exit_status=ending.exit_status))
        with contextlib.suppress(EngineError):
            status.clear_remains(name, phase=phase, message=ending.message)


def _verdict(name: str, exit_status: int | None) -> tuple[str, Ending]:
    """Phase of a jail whose init has ended so, and what is to be told of it."""
    if exit_status in (_REBOOT, _POWER_OFF) and _may_reboot(name):
        if exit_status == _POWER_OFF:
            return "stopped", Ending(endings.POWERED_OFF, 0, "it was powered off from inside")
        return "stopped", Ending(endings.REBOOTED, exit_status, "it was rebooted from inside")
    return "stopped" if exit_status == 0 else "failed", _ending(exit_status)


def _may_reboot(name: str) -> bool:
    """Whether a jail may call reboot(2), which takes pids of its own: otherwise those signals came from elsewhere."""
    document = store.read_started(name)
    if document is None:
        with store.passing_over(name):
            document = store.read_document(name)
    privileges = privileges_of(document) if document else None
    return privileges is not None and privileges.profile == "vps" and "SYS_BOOT" in privileges.capabilities


def _ending(exit_status: int | None) -> Ending:
    if exit_status is None:
        return Ending(endings.UNSEEN, None, "its init ended while no supervisor watched")
    if exit_status < 0:
        return Ending(endings.KILLED, exit_status, f"its init was killed by signal {-exit_status}")
    return Ending(endings.EXITED, exit_status, f"its init exited with status {exit_status}")


def restore_rules() -> None:
    """Give the jails back what they had in the host's packet filter, as somebody has flushed it."""
    from .. import firewall

    with contextlib.suppress(DocumentError, EngineError, KernelError):  # The next task says what is wrong with it.
        firewall.restore()


def restart_delay(name: str, state: RuntimeState, *, ran_for: float) -> tuple[float, int] | None:
    """Seconds to wait before a jail is started again, and how many restarts in a row that makes; None for never.

    The document's delay doubles with each restart in a row, up to five minutes. One that was rebooted from inside is
    started again whatever its policy.
    """
    document = store.read_document(name)
    if document is None or state.goal != "running":
        return None
    policy = effective(document)["restart"]
    restarts = 1 if ran_for >= HEALTHY_SECONDS else state.restarts + 1
    rebooted = state.phase == "stopped" and state.exit_status == _REBOOT
    if not rebooted and not _is_due(policy, state.exit_status, restarts):
        return None
    return min(LONGEST_DELAY, float(policy["delay"]) * 2 ** min(restarts - 1, 16)), restarts


def _is_due(policy: Mapping[str, Any], exit_status: int | None, restarts: int) -> bool:
    if policy["policy"] == "never" or (policy["policy"] == "on-failure" and exit_status == 0):
        return False
    return not policy["maximum"] or restarts <= policy["maximum"]


def in_child(function: object, *arguments: object) -> int:
    """Fork a child of the supervisor for work that may wait for locks; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        processes.close_descriptors(())
        processes.reset_signals()
        function(*arguments)  # type: ignore[operator]
    except Exception:
        os._exit(1)
    finally:
        os._exit(0)
