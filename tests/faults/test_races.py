# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who looks without a lock, and what others do between two of his looks: made to happen just there."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import (
    apply,
    ceiling,
    enter,
    firewall_state,
    inmate_privileges,
    network,
    pins,
    places,
    report,
    status,
    store,
)
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import directories, manifests, templates
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import client
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor.connection import try_connect
from ansible_collections.hosting.jails.plugins.module_utils._kernel import (
    files,
    namespaces,
    nftables,
    pidfd,
    rtnetlink,
)
from ansible_collections.hosting.jails.tests.faults import roots
from ansible_collections.hosting.jails.tests.faults.tasks import NAME, run, task, whole_jail
from ansible_collections.hosting.jails.tests.faults.test_fleet import done, fleet
from ansible_collections.hosting.jails.tests.faults.test_parallel import DEFINED
from ansible_collections.hosting.jails.tests.faults.world import settled

Disturb = Callable[..., None]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Disturb:
    """Have somebody do something once, right before a function is called in whichever process, or right ``after``."""

    def disturb(owner: Any, name: str, work: Callable[[], Any], *, after: bool = False) -> None:
        original = getattr(owner, name)
        turn, waiting = os.pipe()
        os.set_blocking(turn, False)
        os.write(waiting, b"!")

        def disturbed(*arguments: Any, **options: Any) -> Any:
            setattr(owner, name, original)
            if not _is_first(turn):
                return original(*arguments, **options)
            if not after:
                work()
                return original(*arguments, **options)
            result = original(*arguments, **options)
            work()
            return result

        monkeypatch.setattr(owner, name, disturbed)

    return disturb


def _is_first(turn: int) -> bool:
    try:
        return bool(os.read(turn, 1))
    except BlockingIOError:
        return False


def succeeds(work: Callable[[], Any]) -> None:
    outcome = run(work)
    assert not outcome.failure, outcome.failure


def test_a_file_of_a_process_that_ends_before_it_is_read_is_none(meanwhile: Disturb) -> None:
    process = subprocess.Popen(["/bin/sleep", "1000"])

    def end() -> None:
        process.kill()
        process.wait()

    meanwhile(files, "_read_all", end)
    assert files.read_text(f"/proc/{process.pid}/status") is None


def test_a_namespace_whose_pin_goes_before_it_is_opened_is_not_pinned(meanwhile: Disturb, before: list[str]) -> None:
    succeeds(task("present", **whole_jail()))
    path = places.namespace(NAME, "net")
    meanwhile(namespaces.os, "open", lambda: namespaces.unmount(path))
    with pytest.raises(files.KernelError, match="ENOENT"):
        namespaces.open_pin(path)
    succeeds(task("present", **whole_jail()))
    meanwhile(namespaces, "find_pin", lambda: namespaces.unpin(path))
    # The kernel takes its wire with it, by then or later (cleanup_net): what is seen is either, and no error.
    observed = network.observe(NAME)
    assert observed is None or not observed.up
    succeeds(task("absent"))
    assert settled(before) == []


def test_namespaces_of_a_jail_that_has_ended_are_not_pinned_again(
    monkeypatch: pytest.MonkeyPatch, before: list[str]
) -> None:
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    state = store.RuntimeState("running", store.boot_id(), store.new_instance(), pid=process.pid, start_time=1)
    store.write_state(NAME, state)
    monkeypatch.setattr(status, "is_alive", lambda _unused: True)
    pins.restore(NAME)
    assert not os.path.exists(places.namespace(NAME, "net"))
    store.remove_runtime(NAME)
    assert settled(before) == []


def test_a_list_of_links_that_changes_come_into_again_and_again_is_asked_for_until_it_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with rtnetlink.Reader() as reader:
        exchange, asked = reader._exchange, []

        def interrupted(*arguments: Any) -> tuple[list[bytes], bool]:
            asked.append(arguments)
            return exchange(*arguments)[0], len(asked) < 200

        monkeypatch.setattr(reader, "_exchange", interrupted)
        assert [link.name for link in reader.links()] == ["lo"]
        assert len(asked) == 200


def test_a_link_that_is_gone_has_no_limit() -> None:
    with rtnetlink.Reader() as reader:
        lost = reader.links()[0]._replace(ifindex=100000, qdisc="tbf")
        assert reader.token_bucket(lost) is None


def test_the_template_that_is_current_can_be_replaced_while_it_is_looked_for(
    meanwhile: Disturb, before: list[str]
) -> None:
    first = templates.current("flt")
    assert first is not None
    meanwhile(directories, "entries", lambda: templates.build("flt", roots.source(), instead_of=first.generation))
    found = templates.current("flt")
    assert found is not None
    assert found.generation != first.generation
    assert settled(before, passing="/var/lib/jails/templates/flt/") == []


def _other_root() -> None:
    """A reset of another task's, to another source."""
    templates.ensure("flt-other", roots.source())
    succeeds(task(part="rootfs", reset=True, rootfs={"source": {"template": "flt-other"}}))


def test_a_task_that_sees_half_of_the_change_of_another_looks_again(meanwhile: Disturb, before: list[str]) -> None:
    """Of the document it sees what was before, of the root file system what came after."""
    succeeds(task("present", **whole_jail()))
    meanwhile(store, "read_document", _other_root, after=True)
    succeeds(task("started"))
    succeeds(task("absent"))
    templates.remove("flt-other")
    assert settled(before) == []


def test_a_fleet_that_sees_half_of_the_change_of_another_looks_again(meanwhile: Disturb, before: list[str]) -> None:
    succeeds(task("present", **whole_jail()))
    meanwhile(manifests, "read_root", _other_root, after=True)
    wanted = whole_jail(rootfs={"source": {"template": "flt-other"}})
    assert done(fleet({"name": NAME, **wanted}))["changed"]
    succeeds(task("absent"))
    templates.remove("flt-other")
    assert settled(before) == []


def test_a_task_that_is_wrong_about_a_jail_that_is_none_leaves_nothing(before: list[str]) -> None:
    Path(places.lock(NAME)).touch()
    assert "root file system" in run(task("started", command=["/bin/sleep", "1"])).failure
    assert settled(before) == []


def test_privileges_of_a_jail_that_is_removed_meanwhile_are_not_damaged(meanwhile: Disturb, before: list[str]) -> None:
    succeeds(DEFINED)
    meanwhile(ceiling, "read_ceiling", lambda: succeeds(task("absent")))
    assert report.describe(NAME, ["privileges"])["privileges"] == {}
    succeeds(DEFINED)
    meanwhile(enter, "read_ceiling", lambda: succeeds(task("absent")))
    with pytest.raises(EngineError, match="there is no such jail"):
        enter.open_target(NAME)
    assert settled(before) == []


def test_a_command_for_a_jail_that_ends_meanwhile_is_told_so(meanwhile: Disturb, before: list[str]) -> None:
    command = partial(enter.run, NAME, enter.Entry(("true",)))
    succeeds(DEFINED)
    meanwhile(enter, "fork_helper", lambda: succeeds(task("stopped")))
    assert "is not running" in run(command).failure
    succeeds(DEFINED)
    meanwhile(enter, "_enter", _end_it)
    # With that nobody clears what is left of it, our command among that.
    with store.lock(NAME):
        assert "is not running" in run(command).failure
    succeeds(task("absent"))
    assert settled(before) == []


def _end_it() -> None:
    state = store.read_state(NAME)
    assert state
    os.kill(state.pid, signal.SIGKILL)


def test_devices_for_a_jail_that_ends_meanwhile_are_refused_with_a_word_of_that(
    meanwhile: Disturb, before: list[str]
) -> None:
    succeeds(DEFINED)
    meanwhile(pidfd, "open_pidfd", _end_it)
    mine = {"path": "/dev/net/mine", "type": "char", "major": 1, "minor": 5}
    assert "has ended meanwhile" in run(task(part="caps", caps={"devices": ["none", mine]})).failure
    succeeds(task("absent"))
    assert settled(before) == []


def test_a_process_that_enters_a_jail_meanwhile_is_none_that_may_do_too_much(
    meanwhile: Disturb, before: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    succeeds(DEFINED)
    state, host = store.read_state(NAME), inmate_privileges.read_standing(os.getpid())
    assert state
    policy = inmate_privileges.policy_of({}, init=state.pid, ceiling=ceiling.read_ceiling(NAME))
    look, seen = inmate_privileges.read_standing, []

    def as_it_was_before_it_entered(pid: int) -> Any:
        seen.append(pid)
        # The first look is at the jail's init, for what the jail is.
        return host if len(seen) == 2 else look(pid)

    monkeypatch.setattr(inmate_privileges, "read_standing", as_it_was_before_it_entered)
    assert [row["drift"] for row in inmate_privileges.standings(NAME, policy) if row["drift"]] == []
    assert len(seen) > 2
    succeeds(task("absent"))
    assert settled(before) == []


def test_a_process_that_enters_a_jail_bears_that_name_from_its_birth(before: list[str]) -> None:
    succeeds(DEFINED)
    own = Path("/proc/self/comm").read_text()
    target = enter.open_target(NAME)
    helper = enter.fork_helper(target)
    if helper == 0:
        signal.pause()
    os.close(target.pidfd)
    assert Path(f"/proc/{helper}/comm").read_text().strip() == places.ENTERING
    assert Path("/proc/self/comm").read_text() == own
    os.kill(helper, signal.SIGKILL)
    os.waitpid(helper, 0)
    succeeds(task("absent"))
    assert settled(before) == []


def test_a_start_that_the_supervisor_has_not_begun_when_it_leaves_is_its_successor_s(
    meanwhile: Disturb, before: list[str]
) -> None:
    """It was told to leave between a task's connection to it and the task's request."""
    succeeds(task("present", **whole_jail()))

    def leave() -> None:
        leaving = try_connect()
        assert leaving
        client._dismiss(leaving)

    meanwhile(client, "connect", leave, after=True)
    succeeds(task("started"))
    assert status.run_state(NAME) == "running"
    succeeds(task("absent"))
    # Which has ended, and is to be buried by the test.
    assert settled(before, passing="^left: process $") == []


def test_a_table_that_goes_while_it_is_read_and_comes_again_is_read_again(
    monkeypatch: pytest.MonkeyPatch, before: list[str]
) -> None:
    rules = {"inbound": {"policy": "drop"}}
    defined = task("present", **whole_jail(ip={"mode": "vnet", "addresses": ["10.22.1.1/32"], "firewall": rules}))
    succeeds(defined)
    call, calls = nftables._run, []

    def flushed(*arguments: Any, **options: Any) -> str:
        calls.append(arguments)
        if len(calls) > 1:
            return call(*arguments, **options)
        subprocess.run(["nft", "delete", "table", "inet", firewall_state.TABLE], check=True)
        try:
            return call(*arguments, **options)
        finally:
            succeeds(defined)

    monkeypatch.setattr(nftables, "_run", flushed)
    installed = firewall_state.read()
    assert installed is not None
    assert installed.jails() == {NAME}
    succeeds(task("absent"))
    assert settled(before) == []


def test_rules_of_a_jail_that_is_being_removed_are_not_given_back(meanwhile: Disturb, before: list[str]) -> None:
    """It is the last that has some, and another gets its first: then the table is made anew, for all that have any."""
    rules = {"inbound": {"rules": [{"protocol": "tcp", "ports": [80], "action": "drop"}]}}
    address = {"mode": "vnet", "addresses": ["10.22.1.1/32"], "firewall": rules}
    succeeds(task("present", **whole_jail(ip={**address, "addresses": ["10.22.1.2/32"]})))
    meanwhile(apply.roots, "remove", lambda: succeeds(task("present", name="flt-b", **whole_jail(ip=address))))
    succeeds(task("absent"))
    installed = firewall_state.read()
    assert installed is not None
    assert installed.jails() == {"flt-b"}
    assert not os.path.exists(places.runtime(NAME))
    succeeds(task("absent", name="flt-b"))
    assert settled(before) == []


def test_a_restart_that_comes_after_the_removal_of_its_jail_leaves_no_lock(before: list[str]) -> None:
    client.restart_ended(NAME, "the instance of before", 1)
    assert settled(before) == []
