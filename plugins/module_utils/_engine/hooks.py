# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import errno
import functools
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel import processes
from . import places
from .errors import EngineError


def run_all(name: str, stage: str, document: Mapping[str, Any], *, pid: int = 0) -> None:
    """Run the document's hooks of one stage in their order.

    A ``prestart`` or ``poststart`` that fails is an EngineError, as jail(8) has it; a failed ``prestop`` or
    ``poststop`` does not keep a jail from stopping.
    """
    for number, hook in enumerate(document["hooks"]):
        if hook["stage"] != stage:
            continue
        try:
            _run(name, f"hooks[{number}]", hook, pid=pid)
        except EngineError:
            if stage in ("prestart", "poststart"):
                raise


def _run(name: str, path: str, hook: Mapping[str, Any], *, pid: int) -> None:
    if hook["where"] == "jail":
        from .enter import Entry, run_quietly

        code = run_quietly(name, Entry(command=tuple(hook["command"])), timeout=float(hook["timeout"]))
    else:
        code = _run_on_host(hook["command"], _environment(name, pid), float(hook["timeout"]))
    if code != 0:
        raise EngineError(name, f"the hook {' '.join(hook['command'])!r} failed with status {code}", path=path)


def _environment(name: str, pid: int) -> dict[str, str]:
    """What jail(8) gives its hooks: the jail's name, its root's processes, and a sane path."""
    base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "JAIL_NAME": name, "JAIL_RUNTIME": places.runtime(name)}
    return {**base, "JAIL_PID": str(pid)} if pid else base


def _run_on_host(command: Sequence[str], environment: Mapping[str, str], timeout: float) -> int:
    """Exit status of a hook. One that takes too long is killed with all that it has started in its session; and it
    does not outlive the task that waits for it."""
    import subprocess

    try:
        hook = subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=functools.partial(processes.die_with, os.getpid()),
        )
    except OSError as error:
        return 127 if error.errno == errno.ENOENT else os.EX_OSERR
    try:
        return hook.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(hook.pid, signal.SIGKILL)
        hook.wait()
        return 128 + signal.SIGKILL
