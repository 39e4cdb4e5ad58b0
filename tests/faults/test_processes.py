# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs and hooks that cannot start, do not end, or cannot even be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import status, store
from ansible_collections.hosting.jails.tests.faults import machine
from ansible_collections.hosting.jails.tests.faults.tasks import (
    NAME,
    removed,
    run,
    task,
    whole_jail,
)
from ansible_collections.hosting.jails.tests.faults.world import strays
from ansible_collections.hosting.jails.tests.integration.jails import PATIENCE, wait_until

DEFINED = task(**whole_jail())


@pytest.mark.parametrize("init", ["none", "auto"])
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/bin/nowhere"], ["/bin/nowhere", "No such file"]),
        (["nowhere"], ["nowhere"]),
        (["/etc/not-executable"], ["/etc/not-executable", "not executable"]),
        (["/etc"], ["/etc"]),
        (["/usr/bin/no-interpreter"], ["/usr/bin/perl6"]),
        (["/usr/bin/wrong-machine"], []),
        (["/usr/bin/no-loader"], []),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else str(value),
)
def test_a_program_that_cannot_run_fails_the_task_with_its_reason(
    before: list[str], command: list[str], words: list[str], init: str
) -> None:
    outcome = run(task(**whole_jail(command=command, init=init)))
    if not words:
        # Only the kernel can tell: the init has become the jail by then, and ends.
        wait_until(lambda: status.run_state(NAME) != "running" and not status.group(NAME).processes())
    else:
        assert NAME in outcome.failure and "command" in outcome.failure
    for word in words:
        assert word in outcome.failure
    assert status.run_state(NAME) == "failed"
    assert status.group(NAME).processes() == []
    assert strays() == []
    assert run(DEFINED).state == "running"
    removed(before)


def test_a_program_that_ignores_its_signal_is_killed_after_its_timeout(before: list[str]) -> None:
    deaf = ["/bin/sh", "-c", "trap '' TERM; while true; do sleep 1; done"]
    assert run(task(**whole_jail(command=deaf, stop={"signal": "SIGTERM", "timeout": 1}))).state == "running"
    wait_until(lambda: len(status.group(NAME).processes()) == 3, what="it to be deaf")
    began = time.monotonic()
    assert run(task("stopped")).state == "stopped"
    assert time.monotonic() - began < PATIENCE
    removed(before)


def hooked(stage: str, command: list[str], *, where: str = "host", timeout: int = 1) -> dict[str, Any]:
    return whole_jail(hooks=[{"stage": stage, "where": where, "command": command, "timeout": timeout}])


@pytest.mark.parametrize(("stage", "where"), [("prestart", "host"), ("poststart", "host"), ("poststart", "jail")])
def test_a_hook_that_hangs_fails_the_start_in_bounded_time_and_all_is_undone(
    before: list[str], stage: str, where: str
) -> None:
    began = time.monotonic()
    outcome = run(task(**hooked(stage, ["/bin/sh", "-c", "sleep 1000 & sleep 1000"], where=where)))
    assert "hooks[0]" in outcome.failure
    assert time.monotonic() - began < PATIENCE
    assert strays() == []
    assert status.run_state(NAME) != "running"
    assert status.group(NAME).processes() == []
    assert run(task(**whole_jail(hooks=[]))).state == "running"
    removed(before)


@pytest.mark.parametrize("stage", ["prestop", "poststop"])
def test_a_hook_that_hangs_does_not_keep_a_jail_from_stopping(before: list[str], stage: str) -> None:
    assert run(task(**hooked(stage, ["/bin/sh", "-c", "sleep 1000 & sleep 1000"]))).state == "running"
    began = time.monotonic()
    assert run(task("stopped")).state == "stopped"
    assert time.monotonic() - began < PATIENCE
    assert strays() == []
    removed(before)


def test_a_jail_that_freezes_whoever_enters_it_does_not_keep_its_hooks_from_their_end(before: list[str]) -> None:
    """Below its own group a system jail does as it likes, and so with the group that commands enter."""
    hook = hooked("prestop", ["/bin/sleep", "0"], where="jail")
    assert run(task(**hook, caps={"profile": "vps"})).state == "running"
    entered = Path(status.group(NAME).unified) / "entered"
    entered.mkdir()
    (entered / "cgroup.freeze").write_text("1")

    def stop() -> dict[str, Any]:
        signal.alarm(round(PATIENCE))
        return task("stopped")()

    assert run(stop).state == "stopped"
    removed(before)


def test_a_task_that_is_killed_in_a_hook_takes_the_hook_along(before: list[str]) -> None:
    pid = os.fork()
    if pid == 0:
        run_hooked = task(**hooked("prestart", ["/bin/sleep", "1000"], timeout=600))
        try:
            run_hooked()
        finally:
            os._exit(0)
    wait_until(lambda: any("sleep 1000" in text for text in machine.processes().values()), what="the hook")
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    assert strays() == []
    assert run(task(**whole_jail(hooks=[]))).state == "running"
    removed(before)


@pytest.fixture
def frozen_file_system(tmp_path: Path) -> Iterator[Path]:
    """A file system in which whoever writes waits, whatever signal he gets."""
    image, mountpoint = Path("/var/lib/frozen.img"), Path("/var/lib/frozen")
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    made = subprocess.run(["mkfs.ext4", "-q", str(image)], capture_output=True, check=False)
    mountpoint.mkdir()
    command = ["mount", "-o", "loop", str(image), str(mountpoint)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode or mounted.returncode:
        pytest.skip(f"this machine cannot mount a file system in a loop device: {mounted.stderr.strip()}")
    try:
        yield mountpoint
    finally:
        subprocess.run(["fsfreeze", "-u", str(mountpoint)], capture_output=True, check=False)
        subprocess.run(["umount", "-l", str(mountpoint)], check=True)


def test_a_jail_that_cannot_be_killed_is_stuck_and_stops_later(frozen_file_system: Path, before: list[str]) -> None:
    os.chmod(frozen_file_system, 0o777)
    command = ["/bin/sh", "-c", "while test ! -e /tmp/go; do sleep 0.05; done; echo x > /mnt/x; exec sleep 1000"]
    mount = {"source": str(frozen_file_system), "target": "/mnt"}
    assert run(task(**whole_jail(command=command, mounts=[mount]))).state == "running"
    subprocess.run(["fsfreeze", "-f", str(frozen_file_system)], check=True)
    Path(f"/proc/{_init()}/root/tmp/go").touch()
    wait_until(_sleeps_uninterruptibly)
    began = time.monotonic()
    failure = run(task("stopped")).failure
    assert "cannot be killed" in failure and NAME in failure
    assert time.monotonic() - began < PATIENCE
    assert status.run_state(NAME) == "stuck"
    assert "stuck" in run(task("absent")).failure
    assert "stuck" in run(DEFINED).failure
    subprocess.run(["fsfreeze", "-u", str(frozen_file_system)], check=True)
    assert run(task("stopped")).state == "stopped"
    removed(before)


def _init() -> int:
    state = store.read_state(NAME)
    assert state is not None
    return state.pid


def _sleeps_uninterruptibly() -> bool:
    for pid in status.group(NAME).processes():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "D":
                return True
    return False
