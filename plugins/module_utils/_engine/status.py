# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from functools import lru_cache

from .._kernel import processes
from .._kernel.cgroups import Cgroup, Hierarchies, find_hierarchies
from . import places, store
from .errors import EngineError
from .store import RuntimeState

# What is killed has mostly ended by then; what has not may be held by the jail itself.
_PROMPT_SECONDS = 0.5


@lru_cache(maxsize=1)
def hierarchies() -> Hierarchies:
    """The host's cgroup hierarchies, looked up once a process."""
    return find_hierarchies()


def group(name: str) -> Cgroup:
    """The control group of a jail."""
    return Cgroup(hierarchies(), places.cgroup(name))


def is_alive(state: RuntimeState | None) -> bool:
    """Whether the init that a state speaks of still runs."""
    return state is not None and state.pid > 0 and processes.is_alive(state.pid, state.start_time)


def run_state(name: str) -> str:
    """stopped, running, frozen, failed or stuck: what the kernel says, where it and the file disagree.

    ``failed``: the init ended with an error, or a start or stop was cut short. ``stuck``: processes are left that
    even SIGKILL does not end (uninterruptible sleep).
    """
    return run_state_of(name, store.read_state(name))


def run_state_of(name: str, state: RuntimeState | None) -> str:
    """The same for a caller who has read the jail's state already."""
    if state is None:
        return "failed" if group(name).is_populated() else "stopped"
    if is_alive(state) and state.phase in ("running", "stopping"):
        return "frozen" if group(name).is_frozen() else "running"
    if state.phase == "stuck":
        return "stuck" if group(name).is_populated() else "stopped"
    if state.phase in ("stopped", "restarting") or (state.phase == "running" and state.exit_status == 0):
        return "stopped"
    return "failed"


def has_ended(state: RuntimeState) -> bool:
    """Whether a jail has ended by itself, or as it was started again for that: such a start no task would repeat."""
    return state.phase in ("failed", "stopped") or (state.phase == "starting" and state.restarts > 0)


def awaits_restart(state: RuntimeState | None) -> bool:
    """Whether an operator's restart was cut short between its stop and its start."""
    if state is None:
        return False
    return state.phase == "restarting" or (state.phase == "stopping" and state.goal == "running")


def clear_remains(name: str, *, phase: str = "stopped", message: str = "") -> None:
    """End what is left of a jail whose init is gone: its processes and its control group.

    Mounts and namespaces go with the processes; the pinned ones stay, they belong to the definition. EngineError
    when something cannot be killed: the jail is then ``stuck``, and everything is kept for another try.
    """
    members = group(name)
    if members.exists():
        members.kill()
        if not (members.wait_empty(_PROMPT_SECONDS) or _lingerers_end(name, members)):
            _record(name, "stuck", message="processes that cannot be killed")
            raise EngineError(
                name,
                f"processes {_unkillable(members)} cannot be killed",
                remedy="they wait for a device or a file server: mend that, then stop the jail again",
            )
    members.remove()
    _record(name, phase, message=message)


def _lingerers_end(name: str, members: Cgroup) -> bool:
    from . import lingering

    return lingering.end(name, members)


def _record(name: str, phase: str, *, message: str) -> None:
    state = store.read_state(name)
    if state and (state.phase != phase or state.pid):
        store.note_state(name, state._replace(phase=phase, pid=0, start_time=0, message=message or state.message))


def _unkillable(members: Cgroup) -> str:
    """Pids with the kernel function that they sleep in, for the message."""
    found = []
    for pid in members.processes():
        try:
            with open(f"/proc/{pid}/wchan", encoding="ascii") as file:
                found.append(f"{pid} (in {file.read() or '?'})")
        except OSError:
            found.append(str(pid))
    return ", ".join(found)
