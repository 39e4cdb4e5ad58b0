# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it takes to bring many jails to where they should be by a play over ssh, and to find them there.

The same jails as one task, as a loop over the module for one jail, and as a loop over Podman's module for one container
where that can be had: whole runs of ansible-playbook, on hosts with the same root file system, the same limits and no
network. What ratios there are are those of one run. BENCH_HOSTS, BENCH_JAILS and BENCH_CONTAINERS set the size of it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.hosting.jails.tests.bench import ground, podman
from ansible_collections.hosting.jails.tests.bench.table import Line, show
from ansible_collections.hosting.jails.tests.hosts import archives, sets
from ansible_collections.hosting.jails.tests.hosts.host import Host
from ansible_collections.hosting.jails.tests.integration.fleet.runs import Controller

HOSTS = int(os.environ.get("BENCH_HOSTS", "4"))
JAILS = int(os.environ.get("BENCH_JAILS", "25"))
CONTAINERS = int(os.environ.get("BENCH_CONTAINERS", "10"))

_COMMAND = ["sleep", "100000"]
_DOCUMENT = {"command": _COMMAND, "limits": {"memory": "64M", "pids": 20}, "stop": {"timeout": 1}}
_ROOT = {"source": {"template": "small"}}
_ARCHIVE = f"{archives.SHOWN}/small.tar"
# What is there before anything is measured, as Podman is with its image.
_PREPARATION = [
    {"hosting.jails.jail_engine": {}},
    {"hosting.jails.jail_rootfs": {"template": "small", "source": {"archive": {"path": _ARCHIVE}}}},
]
_NAMES = [f"web{number}" for number in range(1, JAILS + 1)]
_LOOP = {"loop": _NAMES}
_AS_A_LOOP = [
    {"hosting.jails.jail_rootfs": {"jail": "{{ item }}", **_ROOT}, **_LOOP},
    {"hosting.jails.jail": {"name": "{{ item }}", **_DOCUMENT}, **_LOOP},
]
_REMOVAL = [{"hosting.jails.jail_fleet": {"purge": "absent", "allow_empty": True, "purge_limit": "100%", "jails": []}}]
_REMOVAL_OF_THE_LOOP = [
    {"hosting.jails.jail_fleet": {"jails": [{"name": f"web[1:{JAILS}]", "state": "absent"}]}},
]


def test_print_what_jails_cost_over_ssh(tmp_path: Path) -> None:
    with sets.running(HOSTS, purpose="ben") as hosts:
        controller = Controller(tmp_path / "jails", hosts)
        controller.succeed(_book(controller, _PREPARATION))
        empty = _seconds(controller, [{"ansible.builtin.ping": {}}])
        lines = [Line("a play that does nothing", empty, "s")]
        times = {
            "one task": _both(controller, _as_one_task(JAILS), _REMOVAL),
            "loop over jail": _both(controller, _AS_A_LOOP, _REMOVAL_OF_THE_LOOP),
        }
        for what, (create, check) in times.items():
            lines += _lines(what, create, check, empty=empty, count=HOSTS * JAILS, ours=times["one task"])
    lines += _on_one_host(tmp_path)
    show(f"{ground.machine()}; {HOSTS} hosts with {JAILS} jails each", lines)


def _on_one_host(directory: Path) -> list[Line]:
    """The comparison with containers: one host with nothing else beside it, and all the jails on it."""
    count = HOSTS * JAILS
    with sets.running(1, purpose="ben") as hosts:
        controller = Controller(directory / "one", hosts)
        controller.succeed(_book(controller, _PREPARATION))
        empty = _seconds(controller, [{"ansible.builtin.ping": {}}])
        ours = _both(controller, _as_one_task(count), _REMOVAL)
        lines = _lines("one host, one task", *ours, empty=empty, count=count, ours=ours)
        found = _containers(controller, hosts[0])
        if not found:
            return [*lines, Line("one host, loop over podman_container", float("nan"), "s", note="not to be had here")]
        create, check = found
        share = count / CONTAINERS
        scaled = (empty + (create - empty) * share, empty + (check - empty) * share)
        note = f", reckoned from {CONTAINERS}"
        return [
            *lines,
            *_lines("one host, loop over podman_container", *scaled, empty=empty, count=count, ours=ours, note=note),
        ]


def _as_one_task(count: int) -> list[dict[str, Any]]:
    defaults = {**_DOCUMENT, "rootfs": _ROOT}
    return [{"hosting.jails.jail_fleet": {"defaults": defaults, "jails": [{"name": f"web[1:{count}]"}]}}]


def _containers(controller: Controller, host: Host) -> tuple[float, float] | None:
    if not podman.install(host):
        return None
    controller.collections.append(podman.collections())
    task = {
        "containers.podman.podman_container": {
            "name": "{{ item }}",
            "image": podman.IMAGE,
            "command": _COMMAND,
            "state": "started",
            "network": ["none"],
            "memory": "64m",
            "pids_limit": "20",
        },
        "loop": [f"web{number}" for number in range(1, CONTAINERS + 1)],
    }
    create = _seconds(controller, [task])
    return create, _seconds(controller, [task])


def _book(controller: Controller, tasks: Sequence[dict[str, Any]]) -> Path:
    return controller.write({"hosts": "jail_hosts", "gather_facts": False, "tasks": list(tasks)})


def _seconds(controller: Controller, tasks: Sequence[dict[str, Any]]) -> float:
    return controller.succeed(_book(controller, tasks)).seconds


def _both(
    controller: Controller, tasks: Sequence[dict[str, Any]], removal: Sequence[dict[str, Any]]
) -> tuple[float, float]:
    """Seconds of a run that makes all, and of one that finds all made."""
    create = _seconds(controller, tasks)
    check = controller.succeed(_book(controller, tasks))
    assert not any(check.changed().values()), check.output
    controller.succeed(_book(controller, removal))
    return create, check.seconds


def _lines(
    what: str, create: float, check: float, *, empty: float, count: int, ours: tuple[float, float], note: str = ""
) -> list[Line]:
    """Whole runs, and what each jail adds to a play that does nothing; of that the ratios, ours to this one's."""

    def line(done: str, seconds: float, own: float) -> Line:
        ratio = f"{(own - empty) / (seconds - empty):.3f}" if seconds != own else ""
        return Line(f"{what}: {done}", (seconds - empty) / count * 1000, "ms", ratio, f"{seconds:.1f} s in all{note}")

    return [line("made, each", create, ours[0]), line("found made, each", check, ours[1])]
