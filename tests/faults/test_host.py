# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host does something behind the engine's back: it reboots, loses an address, holds on to what is removed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import status, store
from ansible_collections.hosting.jails.plugins.module_utils._kernel import links
from ansible_collections.hosting.jails.tests.faults import machine
from ansible_collections.hosting.jails.tests.faults.tasks import (
    NAME,
    removed,
    run,
    supervised,
    task,
    template,
    whole_jail,
)
from ansible_collections.hosting.jails.tests.faults.world import settled
from ansible_collections.hosting.jails.tests.integration.engine import network_host
from ansible_collections.hosting.jails.tests.integration.jails import wait_until

DEFINED = task(**whole_jail())
ADDRESS = "10.22.0.2"


def init_of(name: str = NAME) -> int:
    state = store.read_state(name)
    assert state is not None
    return state.pid


def test_after_a_reboot_jails_are_stopped_and_start_as_they_were(before: list[str]) -> None:
    assert run(DEFINED).state == "running"
    with open(f"/proc/{init_of()}/root/etc/mark", "w", encoding="utf-8") as file:
        file.write("kept")
    machine.reboot()
    with supervised():
        assert run(task("present")).state == "stopped"
        assert run(DEFINED).state == "running"
        assert not run(DEFINED).changed
        with open(f"/proc/{init_of()}/root/etc/mark", encoding="utf-8") as file:
            assert file.read() == "kept"
        assert network_host.answers(ADDRESS)
        assert not run(task("absent")).failure


def test_a_state_of_another_boot_counts_for_nothing(before: list[str]) -> None:
    """A host whose /run is on a disk: the pid on record may be anybody's by now."""
    assert run(DEFINED).state == "running"
    with open(f"/run/jails/{NAME}/state.json", encoding="utf-8") as file:
        record = file.read()
    assert run(task("stopped")).state == "stopped"
    foreign = record.replace(store.boot_id(), "00000000-0000-4000-8000-00000000000f")
    foreign = foreign.replace(f'"pid": {_number(record, "pid")}', f'"pid": {os.getpid()}')
    with open(f"/run/jails/{NAME}/state.json", "w", encoding="utf-8") as file:
        file.write(foreign)
    assert run(task("present")).state == "stopped"
    assert not run(task("stopped")).changed
    removed(before)


def _number(record: str, key: str) -> str:
    return record.partition(f'"{key}": ')[2].partition(",")[0]


def test_a_boot_starts_the_jails_that_are_to_be_started() -> None:
    from ansible_collections.hosting.jails.plugins.module_utils._engine.cli import main as cli

    run(template)
    with supervised():
        assert not run(task(**whole_jail(autostart=True))).failure
        assert not run(task(name="flt-b", **whole_jail(2))).failure
    machine.reboot()
    with supervised():
        run(lambda: {"code": cli.main(["jailctl", "boot"])})
        assert status.run_state(NAME) == "running"
        assert status.run_state("flt-b") == "stopped"


def test_an_address_and_a_route_that_vanish_are_brought_back(before: list[str]) -> None:
    assert run(DEFINED).state == "running"
    with network_host.inside(NAME), links.Connection() as inside:
        inside.remove_address(network_host.link("eth0"), f"{ADDRESS}/32")
    assert not network_host.answers(ADDRESS, seconds=0.1)
    assert run(DEFINED).changed
    assert network_host.answers(ADDRESS)
    assert not run(DEFINED).changed
    removed(before)


def test_the_host_end_of_a_network_that_somebody_holds_is_removed(before: list[str]) -> None:
    assert run(DEFINED).state == "running"
    fd = network_host.namespace_fd(NAME)
    assert fd is not None
    try:
        removed(before)
        assert run(DEFINED).state == "running"
        assert network_host.answers(ADDRESS)
        assert not run(task("absent")).failure
    finally:
        os.close(fd)
    assert settled(before) == []


@pytest.mark.parametrize("where", ["tmp", ""])
def test_a_jail_is_removed_under_somebody_who_is_in_its_root(before: list[str], where: str) -> None:
    assert run(DEFINED).state == "running"
    visitor = _visitor(f"/proc/{init_of()}/root/{where}")
    try:
        assert run(task("stopped")).state == "stopped"
        assert run(DEFINED).state == "running"
        outcome = run(task("absent"))
        assert not outcome.failure, outcome.failure
    finally:
        os.kill(visitor, signal.SIGKILL)
        os.waitpid(visitor, 0)
    assert settled(before) == []


def _visitor(directory: str) -> int:
    pid = os.fork()
    if pid == 0:
        os.chdir(directory)
        signal.pause()
        os._exit(0)
    wait_until(lambda: os.path.samefile(f"/proc/{pid}/cwd", directory), what="the visitor")
    return pid


def test_a_copy_of_the_mounts_elsewhere_does_not_keep_a_jail(before: list[str]) -> None:
    """A service with a mount namespace of its own, started while the jail was there, has its pins mounted too."""
    assert run(DEFINED).state == "running"
    holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sleep", "1000"])
    wait_until(lambda: b"sleep\0" in Path(f"/proc/{holder.pid}/cmdline").read_bytes()[:6], what="the copy")
    try:
        outcome = run(task("absent"))
        assert not outcome.failure, outcome.failure
        assert run(DEFINED).state == "running"
        assert network_host.answers(ADDRESS)
        assert not run(task("absent")).failure
    finally:
        holder.kill()
        holder.wait()
    assert settled(before) == []


def test_groups_that_a_jail_made_below_its_own_go_with_it(before: list[str]) -> None:
    assert run(DEFINED).state == "running"
    top = status.group(NAME).unified
    for path in ("a", "a/b", "a/b/c", "d"):
        os.mkdir(f"{top}/{path}")
    pid = os.fork()
    if pid == 0:
        signal.pause()
    with open(f"{top}/a/b/c/cgroup.procs", "w", encoding="ascii") as file:
        file.write(str(pid))
    assert not run(task("absent")).failure
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert settled(before) == []


def test_a_jail_whose_group_was_removed_meanwhile_is_removed(before: list[str]) -> None:
    assert run(DEFINED).state == "running"
    os.kill(init_of(), signal.SIGKILL)
    wait_until(lambda: status.run_state(NAME) == "failed")
    status.group(NAME).remove()
    removed(before)


def test_a_link_that_was_deleted_is_made_again_while_the_jail_runs(before: list[str]) -> None:
    assert run(DEFINED).state == "running"
    pid = init_of()
    subprocess.run(["ip", "link", "delete", _jail_link()], check=True)
    assert run(DEFINED).changed
    assert init_of() == pid
    assert network_host.answers(ADDRESS)
    removed(before)


def _jail_link() -> str:
    with contextlib.closing(os.popen("ip -o link show type veth")) as output:
        return next(line.split(":")[1].strip().partition("@")[0] for line in output if "jl" in line)


def test_pins_that_somebody_unmounted_are_made_again(before: list[str]) -> None:
    assert run(DEFINED).state == "running"
    for kind in ("user", "net"):
        subprocess.run(["umount", f"/run/jails/{NAME}/ns/{kind}"], check=True)
    assert not run(DEFINED).failure
    assert run(task("restarted")).state == "running"
    assert network_host.answers(ADDRESS)
    removed(before)
