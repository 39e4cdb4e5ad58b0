# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a jail's network costs a connection, and what networks of many jails cost a task: tables, and no verdict.

A jail on the host's stack is compared with the host itself, a routed one with a veth pair that leads to a bare network
namespace. All send to one server of the host's, in turns. BENCH_ROUNDS and BENCH_FLEETS set the size.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._engine import host_configuration, install
from ansible_collections.hosting.jails.tests.bench import fleet, ground
from ansible_collections.hosting.jails.tests.bench.table import Line, show
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.engine import shared_host as host

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "15"))
SECONDS = "0.4"
SIZES = [int(size) for size in os.environ.get("BENCH_FLEETS", "25 100 500").split()]
SOURCE = Path(__file__).parent / "pump.c"
SERVERS = {"serve": "5201", "accept": "5202"}
SHARED, ROUTED = f"{ground.PREFIX}shared", f"{ground.PREFIX}routed"
POOLS = [{"addresses": "10.24.0.0/16"}, {"addresses": "fd00:24::/64"}]


def test_print_what_a_network_costs() -> None:
    assert ground.on_own_ground(_measure) == 0


def test_print_what_many_networks_cost() -> None:
    assert ground.on_own_ground(_measure_many) == 0


# One connection


def _measure(scratch: str) -> None:
    machine = ground.machine()
    install.ensure_engine()
    program = f"{scratch}/bin/pump"
    os.makedirs(os.path.dirname(program), mode=0o755)
    subprocess.run(["gcc", "-O2", "-Wall", "-Werror", "-o", program, str(SOURCE)], check=True)
    host.enter()
    with _bare_namespace() as bare, _jails(scratch), _server(program, "serve"), _server(program, "accept"):
        lines = [
            *_compared("in shared, to the host itself", _in_jail(SHARED), [program]),
            *_compared("in vnet, to a veth pair", _in_jail(ROUTED), [*bare, program]),
        ]
    show(f"{machine}; {ROUNDS} rounds", lines)


def _in_jail(name: str) -> list[str]:
    return [*install.ensure_engine(), "exec", name, "--", "/srv/pump"]


@contextlib.contextmanager
def _jails(scratch: str) -> Iterator[None]:
    mounts = [{"source": f"{scratch}/bin", "target": "/srv", "read_only": True}]
    with contextlib.ExitStack() as stack:
        for name, own, ip in ((SHARED, host.A4, {}), (ROUTED, "10.24.0.1", {"mode": "vnet", "interface": ""})):
            jail = stack.enter_context(host.jail(name, own, state=None, ip=ip))
            document = host.definition(own, ip=ip)
            jail.converge(state="started", **{**document, "mounts": document["mounts"] + mounts})
        yield


@contextlib.contextmanager
def _bare_namespace() -> Iterator[list[str]]:
    """A veth pair to a network namespace with nothing else; what runs a command in it."""
    with subprocess.Popen(["unshare", "--net", "sleep", "inf"]) as holder:
        try:
            jails.wait_until(
                lambda: os.stat(f"/proc/{holder.pid}/ns/net").st_ino != os.stat("/proc/self/ns/net").st_ino
            )
            inside = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
            host.ip(f"link add bare type veth peer name eth0 netns {holder.pid}")
            host.ip("address add 10.24.255.1/30 dev bare")
            host.ip("link set bare up")
            for command in (
                "address add 10.24.255.2/30 dev eth0",
                "link set eth0 up",
                "route add default via 10.24.255.1",
            ):
                subprocess.run([*inside, "ip", *command.split()], check=True)
            yield inside
        finally:
            holder.kill()


@contextlib.contextmanager
def _server(program: str, kind: str) -> Iterator[None]:
    with subprocess.Popen([program, kind, host.HOST4, SERVERS[kind]], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout and server.stdout.readline() == "ready\n"
            yield
        finally:
            server.kill()


def _compared(title: str, ours: list[str], others: list[str]) -> Iterator[Line]:
    """Both in turns, round by round; the ratio is the median of the rounds' ratios. A stream counts a KiB's time."""
    for what, unit, scale in (("stream", "MB/s", 1e6), ("echo", "k/s", 1e3), ("connect", "k/s", 1e3)):
        rounds = [[_pump(command, what) for command in (ours, others)] for _unused in range(ROUNDS)]
        rates = [(mine[0], theirs[0]) for mine, theirs in rounds]
        yield _line(f"{what} {title}", median(mine / scale for mine, _unused in rates), unit, rates)
        used = [(mine[1], theirs[1]) for mine, theirs in rounds]
        value, unit = median(mine for mine, _unused in used), "ns"
        yield _line(f"{what} {title}: processor", value * (1024 if what == "stream" else 1), unit, used)


def _line(what: str, value: float, unit: str, pairs: list[tuple[float, float]]) -> Line:
    ratios = sorted(mine / theirs for mine, theirs in pairs)
    better = "less" if unit == "ns" else "more"
    return Line(what, value, unit, f"{median(ratios):.3f}", f"{ratios[0]:.2f} to {ratios[-1]:.2f}; {better} is better")


def _pump(command: list[str], what: str) -> tuple[float, float]:
    """How many a second, and nanoseconds of the processor for each (of a stream: bytes)."""
    port = SERVERS["accept" if what == "connect" else "serve"]
    words = [*command, what, host.HOST4, port, SECONDS]
    printed = subprocess.run(words, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout
    rate, used = map(float, printed.split())
    return rate, used


# Many networks


def _measure_many(_unused: str) -> None:
    machine = ground.machine()
    install.ensure_engine()
    host.enter()
    host_configuration.write_pools(host_configuration.parse_pools(POOLS))
    lines = [line for kind in ("vnet", "auto", "shared") for size in SIZES for line in _many(kind, size)]
    show(f"{machine}; {ROUNDS} rounds; two addresses a jail", lines)


def _document(kind: str, number: int) -> dict[str, Any]:
    addresses = [f"10.24.{number // 250}.{number % 250 + 1}", f"fd00:24::{number + 1:x}"]
    ip: dict[str, Any] = {"mode": "vnet", "addresses": ["auto"] if kind == "auto" else addresses}
    if kind == "shared":
        ip.update(mode="shared", interface=host.LINK)
    return {"name": f"{ground.PREFIX}net{number}", "state": "present", "ip": ip}


def _many(kind: str, size: int) -> Iterator[Line]:
    documents = [_document(kind, number) for number in range(size)]
    title = f"{size} jails, {'vnet with auto' if kind == 'auto' else kind}"
    try:
        made = fleet.run(documents, changed=size)
        yield Line(f"{title}: give addresses", made.seconds * 1e3 / size, "ms", note="a jail")
        idle = [fleet.run(documents, changed=0).seconds for _unused in range(ROUNDS)]
        yield Line(f"{title}: change nothing", median(idle) * 1e3 / size, "ms", note="a jail")
    finally:
        gone = fleet.run([{"name": document["name"], "state": "absent"} for document in documents], changed=size)
    yield Line(f"{title}: remove", gone.seconds * 1e3 / size, "ms", note="a jail")
