# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Something has run out: space, inodes, control groups, file descriptors. A message says what, nothing is half done."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import status
from ansible_collections.hosting.jails.plugins.module_utils._kernel import mounts
from ansible_collections.hosting.jails.tests.faults import roots
from ansible_collections.hosting.jails.tests.faults.tasks import (
    NAME,
    Outcome,
    run,
    supervised,
    task,
    template,
    whole_jail,
)
from ansible_collections.hosting.jails.tests.faults.world import settled, strays, world

DEFINED = task(**whole_jail())


@pytest.fixture
def before() -> Iterator[list[str]]:
    run(template)
    with supervised():
        # The locks and directories of the host are there from the first jail on.
        run(DEFINED)
        run(task("absent"))
        yield world()


def fill(directory: str, *, left: int, unit: str = "size") -> Callable[[], None]:
    """Let a directory be full but for some bytes or inodes; the way back."""
    ballast = Path(directory, ".ballast")
    # No size at all would be no limit (tmpfs(5)).
    ballast.write_bytes(b"0" * 4096)
    used = _used(directory, unit)
    mounts.mount("tmpfs", directory, "tmpfs", mounts.MS_REMOUNT, f"{unit}={used + left}")

    def relieve() -> None:
        mounts.mount("tmpfs", directory, "tmpfs", mounts.MS_REMOUNT, "size=4g,nr_inodes=1000000")
        ballast.unlink()

    return relieve


def _used(directory: str, unit: str) -> int:
    facts = os.statvfs(directory)
    if unit == "size":
        return (facts.f_blocks - facts.f_bfree) * facts.f_frsize
    return facts.f_files - facts.f_ffree


def fails_and_recovers(before: list[str], scarce: Callable[[], Callable[[], None]], work: Callable[[], Any]) -> str:
    """The message of a task that runs out; with that over the same task completes, and removal leaves nothing."""
    relieve = scarce()
    outcome: Outcome = run(work)
    assert strays() == []
    relieve()
    again = run(work)
    assert not again.failure, again.failure
    assert not run(task("absent")).failure
    assert settled(before) == []
    return outcome.failure


@pytest.mark.parametrize("unit", ["size", "nr_inodes"])
@pytest.mark.parametrize("left", [0, 2, 3, 5])
@pytest.mark.parametrize("directory", ["/etc/jails", "/run/jails", "/var/lib/jails", "/var/log/jails"])
def test_a_full_file_system_is_named_and_the_next_task_completes(
    before: list[str], directory: str, left: int, unit: str
) -> None:
    amount = left * (4096 if unit == "size" else 1)
    failure = fails_and_recovers(before, lambda: fill(directory, left=amount, unit=unit), DEFINED)
    if left == 0 and directory != "/var/log/jails":
        assert failure, "it was not full"
    assert not failure or directory in failure or NAME in failure


def test_a_jail_is_removed_although_every_file_system_is_full(before: list[str]) -> None:
    assert run(DEFINED).state == "running"
    relieve = [fill(directory, left=0) for directory in ("/etc/jails", "/run/jails", "/var/lib/jails")]
    outcome = run(task("absent"))
    assert not outcome.failure, outcome.failure
    for each in relieve:
        each()
    assert settled(before) == []


def test_a_full_disk_while_a_template_is_built_leaves_no_part_of_it(before: list[str]) -> None:
    from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import templates

    relieve = fill("/var/lib/jails", left=256 << 10)
    outcome = run(lambda: templates.ensure("flt-full", roots.source()) and None)
    assert "/var/lib/jails" in outcome.failure, outcome
    relieve()
    assert settled(before) == []


def test_no_more_control_groups_is_an_error_that_names_them(before: list[str]) -> None:
    unified = Path(status.hierarchies().unified)

    def scarce() -> Callable[[], None]:
        (unified / "cgroup.max.descendants").write_text("1\n")
        return lambda: (unified / "cgroup.max.descendants").write_text("max\n") and None

    failure = fails_and_recovers(before, scarce, DEFINED)
    assert "cgroup" in failure and NAME in failure


@pytest.mark.parametrize(
    ("limit", "number"),
    [
        (resource.RLIMIT_NOFILE, 12),
        (resource.RLIMIT_NOFILE, 20),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_FSIZE, 100),
        (resource.RLIMIT_STACK, 1 << 16),
    ],
)
def test_a_task_with_small_resource_limits_completes_or_fails_with_a_message(
    before: list[str], limit: int, number: int
) -> None:
    import signal

    def prepare() -> None:
        # As Python does it at its start: a write beyond the limit is EFBIG and not a death.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(limit, (number, resource.getrlimit(limit)[1]))

    outcome = run(DEFINED, prepare=prepare)
    assert outcome.failure or outcome.state == "running"
    assert strays() == []
    assert not run(DEFINED).failure
    assert not run(task("absent")).failure
    assert settled(before) == []
