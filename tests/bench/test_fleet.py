# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fleet costs by its size, and what the same jails cost as a loop over the module jail: a table, and no verdict.

BENCH_FLEETS sets the sizes, BENCH_ROUNDS how often a run that changes nothing is measured.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._engine import install
from ansible_collections.hosting.jails.tests.bench import fleet, ground
from ansible_collections.hosting.jails.tests.bench.table import Line, show
from ansible_collections.hosting.jails.tests.integration import jails

SIZES = [int(size) for size in os.environ.get("BENCH_FLEETS", "25 100 500").split()]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
LOOP = 10

Jails = list[dict[str, Any]]


def test_print_what_fleets_cost() -> None:
    assert ground.on_own_ground(_measure) == 0


def _measure(scratch: str) -> None:
    machine = ground.machine()
    install.ensure_engine()
    with jails.template(f"{ground.PREFIX}debian") as template:
        lines = [line for size in SIZES for line in _fleet(size, template, Path(scratch))]
        lines += _loop(template, Path(scratch))
    show(f"{machine}; {ROUNDS} rounds", lines)


def _documents(size: int, template: str) -> Jails:
    return [fleet.document(number, template) for number in range(size)]


def _fleet(size: int, template: str, scratch: Path) -> Iterator[Line]:
    documents = _documents(size, template)
    gone = [{"name": document["name"], "state": "absent"} for document in documents]
    try:
        made = fleet.run(documents, changed=size)
        yield Line(f"{size} jails: make and start", made.seconds * 1e3 / size, "ms", note="a jail")
        idle = [fleet.run(documents, changed=0) for _unused in range(ROUNDS)]
        yield Line(
            f"{size} jails: change nothing", median(run.seconds for run in idle) * 1e3 / size, "ms", note="a jail"
        )
        beyond = median(_beyond_an_empty_playbook(documents, scratch) for _unused in range(ROUNDS))
        yield Line(f"{size} jails: change nothing, beyond an empty playbook", beyond, "s", note="in all")
        memory = max(run.memory for run in [made, *idle])
        yield Line(f"{size} jails: memory of the task", memory, "MiB", note="at its largest")
    finally:
        removed = fleet.run(gone, changed=size)
    yield Line(f"{size} jails: stop and remove", removed.seconds * 1e3 / size, "ms", note="a jail")


def _beyond_an_empty_playbook(documents: Jails, scratch: Path) -> float:
    """In turns, as a machine that others use does not stay as fast as it is."""
    task = {"hosting.jails.jail_fleet": {"fleet": "bench", "jails": documents}}
    empty = fleet.playbook(scratch, {"ansible.builtin.debug": {"msg": "nothing"}})
    return fleet.playbook(scratch, task) - empty


def _loop(template: str, scratch: Path) -> Iterator[Line]:
    """The same jails, each a task of its own."""
    names = [document["name"] for document in _documents(LOOP, template)]
    fleet.run(_documents(LOOP, template), changed=LOOP)
    try:
        empty = fleet.playbook(scratch, {"ansible.builtin.debug": {"msg": "nothing"}})
        looped = fleet.playbook(scratch, {"hosting.jails.jail": {"name": "{{ item }}"}, "loop": names})
        yield Line("a loop over jail: change nothing", (looped - empty) * 1e3 / LOOP, "ms", note="a jail")
    finally:
        fleet.run([{"name": name, "state": "absent"} for name in names], changed=LOOP)
