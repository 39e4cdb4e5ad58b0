# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many tasks at once: one wins, the others wait, and no two jails ever get the same."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import allocations as ids
from ansible_collections.hosting.jails.plugins.module_utils._engine import places, status, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import directories, manifests
from ansible_collections.hosting.jails.tests.faults.tasks import NAME, Outcome, run, task, template, whole_jail
from ansible_collections.hosting.jails.tests.faults.world import allocations, settled, strays, world
from ansible_collections.hosting.jails.tests.integration.engine import network_host

DEFINED = task(**whole_jail())


def at_once(tasks: list[Callable[[], Any]]) -> list[Outcome]:
    """Outcomes of tasks that begin at the same moment, each in a process of its own."""
    gate_reader, gate_writer = os.pipe()
    readers = []
    for each in tasks:
        reader, writer = os.pipe()
        if os.fork() == 0:
            try:
                os.close(gate_writer)
                os.read(gate_reader, 1)
                with os.fdopen(writer, "wb") as pipe:
                    pickle.dump(run(each), pipe)
            finally:
                os._exit(0)
        os.close(writer)
        readers.append(reader)
    os.close(gate_reader)
    os.close(gate_writer)
    outcomes = []
    for reader in readers:
        with os.fdopen(reader, "rb") as pipe:
            outcomes.append(pickle.loads(pipe.read()))
    for _unused in tasks:
        os.wait()
    return outcomes


def failures(outcomes: list[Outcome]) -> list[str]:
    return [outcome.failure for outcome in outcomes if outcome.failure]


def test_twenty_tasks_define_and_start_the_same_jail_once(before: list[str]) -> None:
    outcomes = at_once([DEFINED] * 20)
    assert failures(outcomes) == []
    assert {outcome.state for outcome in outcomes} == {"running"}
    assert len(status.group(NAME).processes()) <= 2
    assert at_once([DEFINED])[0].changed is False
    assert not run(task("absent")).failure
    assert settled(before) == []


def test_twenty_tasks_stop_the_same_jail(before: list[str]) -> None:
    assert run(DEFINED).state == "running"
    assert failures(at_once([task("stopped")] * 20)) == []
    assert not run(task("stopped")).changed
    assert failures(at_once([task("absent")] * 20)) == []
    assert settled(before) == []


def test_tasks_that_want_different_things_leave_the_jail_in_one_of_these_states(before: list[str]) -> None:
    wishes = [DEFINED, task("stopped", **whole_jail()), task("restarted", **whole_jail()), task("absent")]
    for _unused in range(3):
        outcomes = at_once(wishes * 4)
        # A task that meets a jail whose removal it did not foresee may say so; it must not say anything else.
        assert [text for text in failures(outcomes) if NAME not in text] == []
        assert strays() == []
        assert len(status.group(NAME).processes()) <= 2
        assert not run(DEFINED).failure
        assert not run(DEFINED).changed
    assert not run(task("absent")).failure
    assert settled(before) == []


def test_fifty_jails_defined_at_once_share_nothing(before: list[str]) -> None:
    numbers = range(1, 51)
    outcomes = at_once([task("present", name=f"flt-{number}", **whole_jail(number)) for number in numbers])
    assert failures(outcomes) == []
    indexes = [entry["index"] for entry in allocations().values()]
    assert len(indexes) == len(set(indexes)) == 50
    links = [item for item in network_host.world() if item.startswith("link jl")]
    assert len(links) == 50
    assert failures(at_once([task("absent", name=f"flt-{number}") for number in numbers])) == []
    assert settled(before) == []


def test_ten_jails_started_at_once_all_run(before: list[str]) -> None:
    numbers = range(1, 11)
    outcomes = at_once([task(name=f"flt-{number}", **whole_jail(number)) for number in numbers])
    assert failures(outcomes) == []
    assert {outcome.state for outcome in outcomes} == {"running"}
    assert failures(at_once([task("absent", name=f"flt-{number}") for number in numbers])) == []
    assert settled(before) == []


def test_of_two_jails_with_one_address_defined_at_once_one_is_refused(before: list[str]) -> None:
    for _unused in range(5):
        outcomes = at_once([task("present", name=name, **whole_jail(1)) for name in ("flt-a", "flt-b", "flt-c")])
        refused = failures(outcomes)
        assert len(refused) == 2, outcomes
        assert all("10.22.0.2" in text for text in refused), refused
        for name in ("flt-a", "flt-b", "flt-c"):
            assert not run(task("absent", name=name)).failure
        assert settled(before) == []


def test_the_first_jails_of_a_host_start_at_once_without_a_supervisor() -> None:
    """Each task finds none and would start one; one stays."""
    run(template)
    before = world()
    numbers = range(1, 7)
    outcomes = at_once([task(name=f"flt-{number}", **whole_jail(number)) for number in numbers])
    assert failures(outcomes) == []
    assert strays() == []
    assert failures(at_once([task("absent", name=f"flt-{number}") for number in numbers])) == []
    assert settled(before) == []


def _claim() -> None:
    ids.claim(NAME)
    os.makedirs(directories.root(NAME))


def _forget() -> None:
    os.rmdir(directories.root(NAME))
    os.unlink(places.ALLOCATIONS)


def _write_manifest() -> None:
    manifests.write(MANIFEST, manifests.RootManifest(NAME, {}, 0, ""))


MANIFEST = f"{places.STATE}/rootfs.json"
# What is written, how it is read by whoever takes no lock, and how it goes.
FIRSTS = {
    "ids": (_claim, lambda: ids.find(NAME), _forget),
    "a document": (
        lambda: store.write_document(NAME, {"name": NAME}),
        lambda: store.read_document(NAME),
        lambda: os.unlink(places.document(NAME)),
    ),
    "a manifest": (_write_manifest, lambda: manifests.read_root(MANIFEST), lambda: os.unlink(MANIFEST)),
}


@pytest.mark.parametrize("first", FIRSTS.values(), ids=FIRSTS)
def test_who_reads_what_is_written_for_the_first_time_finds_nothing_or_all(
    first: tuple[Callable[[], Any], ...], before: list[str]
) -> None:
    """The file that is not there and then is there is not damaged."""
    write, read, undo = first

    def read_until_there() -> None:
        while read() is None:
            pass

    for _unused in range(30):
        assert failures(at_once([read_until_there] * 4 + [write])) == []
        undo()
    assert settled(before) == []
