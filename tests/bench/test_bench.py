# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What starting, stopping, entering and keeping a jail costs: a table, and no verdict.

Times of a machine that others use mean little, ratios of what ran in turns mean more. BENCH_JAILS and BENCH_ROUNDS
set the size of it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from ansible_collections.hosting.jails.plugins.module_utils._engine import install
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import roots
from ansible_collections.hosting.jails.tests.bench import ground, peers
from ansible_collections.hosting.jails.tests.bench.engine import (
    Fleet,
    Floor,
    descendants,
    interpreter,
    memory,
    milliseconds,
    readers_of,
    run,
)
from ansible_collections.hosting.jails.tests.bench.table import Line, compare, percentile, show
from ansible_collections.hosting.jails.tests.integration import jails

JAILS = int(os.environ.get("BENCH_JAILS", "50"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
ENTRIES = 40
CONTAINERS = 10

_IN_A_ROW = "C program, one after the other"
_AT_ONCE = "C program, all at once"


def test_print_what_jails_cost() -> None:
    assert ground.on_own_ground(_measure) == 0


def _measure(scratch: str) -> None:
    machine = ground.machine()
    names = [f"{ground.PREFIX}{number}" for number in range(JAILS)]
    with jails.template(f"{ground.PREFIX}debian") as template:
        fleet = Fleet(names, template)
        try:
            floor = Floor(scratch, fleet)
            bundles = peers.mount_roots(f"{scratch}/peers", _lower(names[0]), CONTAINERS)
            lines = [*_floor(fleet, floor), *_peers(fleet, bundles), *_tasks(fleet), *_entries(fleet, bundles)]
            lines += _memory(fleet)
        finally:
            fleet.remove()
    show(f"{machine}; {JAILS} jails, {ROUNDS} rounds", lines)


def _lower(name: str) -> str:
    manifest = roots.read(name)
    assert manifest is not None
    return roots.lower_directory(manifest)


def _floor(fleet: Fleet, floor: Floor) -> Iterator[Line]:
    """Starts and stops against the C program. Each start is followed by its stop, which is measured on the way."""
    stops: list[tuple[float, float]] = []

    def by_engine(start: str) -> float:
        taken = fleet.start_all() if start == "bulk" else fleet.start_each()
        stops.append((fleet.stop_all(), 0.0))
        return taken

    def by_floor(window: int) -> float:
        times = floor.times(window)
        stops[-1] = (stops[-1][0], times["stop"])
        return times["start"]

    contenders = {
        "engine": lambda: by_engine("bulk"),
        _IN_A_ROW: lambda: by_floor(1),
        _AT_ONCE: lambda: by_floor(JAILS),
    }
    yield from compare("start in bulk", contenders, rounds=ROUNDS, notes={})
    contenders = {"engine": lambda: by_engine("each"), _IN_A_ROW: lambda: by_floor(1)}
    yield from compare("start one by one", contenders, rounds=ROUNDS, notes={})
    measured = iter(list(stops))
    current = [(0.0, 0.0)]

    def engine_stop() -> float:
        current[0] = next(measured)
        return current[0][0]

    contenders = {"engine": engine_stop, "C program": lambda: current[0][1]}
    notes = {"engine": "plans, locks and asks first", "C program": "kills at once"}
    yield from compare("stop in bulk", contenders, rounds=len(stops), notes=notes)


def _peers(fleet: Fleet, bundles: list[str]) -> Iterator[Line]:
    runtimes: dict[str, peers.Oci | peers.Bubblewrap] = {}
    for name in ("crun", "runc"):
        program = shutil.which(name)
        if program:
            runtimes[name] = peers.Oci(program, bundles)
    program = shutil.which("bwrap")
    if program:
        runtimes["bwrap"] = peers.Bubblewrap(program, bundles)
    starts: dict[str, list[float]] = {}
    stops: dict[str, list[float]] = {}
    for _unused in range(ROUNDS):
        starts.setdefault("engine", []).append(fleet.start_all())
        stops.setdefault("engine", []).append(fleet.stop_all())
        with peers.version_1_alone():
            for name, runtime in runtimes.items():
                starts.setdefault(name, []).append(runtime.start())
                stops.setdefault(name, []).append(runtime.stop())
    notes = {name: runtime.note for name, runtime in runtimes.items()}
    for title, times in (("start", starts), ("stop", stops)):
        replay = {name: iter(values).__next__ for name, values in times.items()}
        yield from compare(f"{title} beside others", replay, rounds=ROUNDS, notes=notes)


def _tasks(fleet: Fleet) -> Iterator[Line]:
    """What a command line costs that names all jails."""
    for command in ("start", "stop"):
        yield Line(f"jailctl {command}, all jails in one call", fleet.jailctl(command), "ms", note="a jail")


def _entries(fleet: Fleet, bundles: list[str]) -> Iterator[Line]:
    fleet.start_all()
    name = fleet.names[0]
    jailctl = [*install.ensure_engine(), "exec", name, "--", "true"]
    nsenter = ["nsenter", "--target", str(fleet.init(name)), "--all", "true"]
    contenders = {
        "jailctl exec": lambda: milliseconds(lambda: run(jailctl)),
        "nsenter": lambda: milliseconds(lambda: run(nsenter)),
        "an interpreter that does nothing": lambda: milliseconds(lambda: run(interpreter())),
    }
    notes = {"nsenter": "joins no control group, keeps all privileges"}
    crun = shutil.which("crun")
    if crun:
        container = peers.Oci(crun, bundles[:1])
        with peers.version_1_alone():
            container.start()

        def by_crun() -> float:
            with peers.version_1_alone():
                return milliseconds(container.execute)

        contenders["crun exec"] = by_crun
    taken: list[float] = []

    def entry() -> float:
        taken.append(milliseconds(lambda: run(jailctl)))
        return taken[-1]

    yield from compare("enter", {**contenders, "jailctl exec": entry}, rounds=ENTRIES, notes=notes)
    yield Line("enter: jailctl exec, 95th percentile", percentile(taken, 0.95), "ms")
    if crun:
        with peers.version_1_alone():
            container.stop()
    fleet.stop_all()


def _memory(fleet: Fleet) -> Iterator[Line]:
    supervisor = ground.supervisor_pid()
    empty = memory(supervisor)
    yield Line("memory: supervisor without jails, Rss", empty["Rss"], "MiB")
    yield Line("memory: supervisor without jails, Pss", empty["Pss"], "MiB")
    fleet.start_all()
    supervisor = ground.supervisor_pid()
    full = sum(memory(pid)["Pss"] for pid in (supervisor, *readers_of(supervisor)))
    yield Line(f"memory: supervisor and its reader with {JAILS} jails, Pss", full, "MiB")
    yield Line("memory: both for each idle jail, Pss", (full - empty["Pss"]) * 1024 / JAILS, "KiB")
    init, *others = descendants(fleet.init(fleet.names[0]))
    yield Line("memory: a jail's init, Pss", memory(init)["Pss"] * 1024, "KiB")
    for command in others:
        yield Line("memory: a jail's command (sleep), Pss", memory(command)["Pss"] * 1024, "KiB")
    fleet.stop_all()
