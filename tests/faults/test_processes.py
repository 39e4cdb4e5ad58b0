# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs and hooks that cannot start, do not end, or cannot even be killed."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import status
from ansible_collections.hosting.jails.tests.faults.tasks import NAME, run, supervised, task, template, whole_jail
from ansible_collections.hosting.jails.tests.faults.world import settled, strays, world

DEFINED = task(**whole_jail())


@pytest.fixture
def before() -> Iterator[list[str]]:
    run(template)
    with supervised():
        yield world()


def removed(before: list[str]) -> None:
    outcome = run(task("absent"))
    assert not outcome.failure, outcome.failure
    assert settled(before) == []


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
    from ansible_collections.hosting.jails.plugins.module_utils._engine import apply

    outcome = run(task(**whole_jail(command=command, init=init)))
    if not words:
        # Only the kernel can tell: the init has become the jail by then, and ends.
        deadline = time.monotonic() + apply._SETTLE_SECONDS
        while status.run_state(NAME) == "running" and time.monotonic() < deadline:
            time.sleep(0.01)
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
    time.sleep(0.2)
    began = time.monotonic()
    assert run(task("stopped")).state == "stopped"
    assert time.monotonic() - began < 4
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
    assert time.monotonic() - began < 8
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
    assert time.monotonic() - began < 8
    assert strays() == []
    removed(before)


def test_a_task_that_is_killed_in_a_hook_takes_the_hook_along(before: list[str]) -> None:
    pid = os.fork()
    if pid == 0:
        run_hooked = task(**hooked("prestart", ["/bin/sleep", "1000"], timeout=600))
        try:
            run_hooked()
        finally:
            os._exit(0)
    time.sleep(1.0)
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
    Path(f"/proc/{_program()}/root/tmp/go").touch()
    deadline = time.monotonic() + 5
    while not _sleeps_uninterruptibly() and time.monotonic() < deadline:
        time.sleep(0.02)
    began = time.monotonic()
    failure = run(task("stopped")).failure
    assert "cannot be killed" in failure and NAME in failure
    assert time.monotonic() - began < 15
    assert status.run_state(NAME) == "stuck"
    assert "stuck" in run(task("absent")).failure
    assert "stuck" in run(DEFINED).failure
    subprocess.run(["fsfreeze", "-u", str(frozen_file_system)], check=True)
    assert run(task("stopped")).state == "stopped"
    removed(before)


def _program() -> int:
    return status.group(NAME).processes()[0]


def _sleeps_uninterruptibly() -> bool:
    for pid in status.group(NAME).processes():
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "D":
            return True
    return False
