# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs on the hooks of a control group stay, hold for what is below, and are replaced under running processes."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel import bpf, cgroup_bpf
from ansible_collections.hosting.jails.plugins.module_utils._kernel.address_program import Held
from ansible_collections.hosting.jails.plugins.module_utils._kernel.bpf_assembler import R0, Assembler
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.tests.integration.kernel import io_uring, sockets
from ansible_collections.hosting.jails.tests.integration.kernel.held_group import Group, Host

HOST4, A4, B4, OTHER4, A6, B6 = "10.35.0.1", "10.35.0.11", "10.35.0.12", "10.35.0.21", "fd00:35::11", "fd00:35::12"
UNAVAILABLE = "EADDRNOTAVAIL"
A, B, BOTH = Held((A4,), (A6,)), Held((B4,), (B6,)), Held((A4, B4), (A6, B6))


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    addresses = [f"{address}/{128 if ':' in address else 32}" for address in (A4, B4, OTHER4, A6, B6)]
    made = Host(f"{HOST4}/24", *addresses)
    yield made
    made.close()


@pytest.fixture
def jail(host: Host) -> Iterator[Group]:
    made = Group(host, "changes", A)
    yield made
    made.remove()


def programs_of(group: Group) -> dict[str, list[str]]:
    fd = os.open(group.directory, os.O_RDONLY)
    try:
        found = {name: bpf.attached(fd, hook.number) for name, hook in cgroup_bpf.HOOKS.items()}
    finally:
        os.close(fd)
    return {name: [program.name for program in programs] for name, programs in found.items()}


def test_there_is_one_program_on_each_hook(jail: Group) -> None:
    assert all(len(names) == 1 and names[0].startswith("jl_") for names in programs_of(jail).values())
    assert jail.is_held(A) and not jail.is_held(B)


def test_programs_stay_when_whoever_attached_them_ends(host: Host) -> None:
    made = Group(host, "stays", None)
    try:
        pid = os.fork()
        if pid == 0:
            made.hold(A)
            os._exit(0)
        os.waitpid(pid, 0)
        assert made.is_held(A)
        assert made.run(sockets.bind, HOST4) == UNAVAILABLE
    finally:
        made.remove()


def test_the_same_again_changes_nothing(jail: Group) -> None:
    assert not jail.hold(A)
    assert jail.hold(BOTH)
    assert not jail.hold(BOTH)


def test_groups_below_are_held_and_cannot_widen_it(jail: Group) -> None:
    below = jail.below("service")
    try:
        assert below.run(sockets.bind, "0.0.0.0") == A4
        assert below.run(sockets.bind, HOST4) == UNAVAILABLE
        _attach_permissive(below)
        assert below.run(sockets.bind, HOST4) == UNAVAILABLE
    finally:
        below.remove()


def _attach_permissive(group: Group) -> None:
    program = Assembler()
    program.move(R0, 1)
    program.exit()
    directory = os.open(group.directory, os.O_RDONLY)
    for name in ("bind4", "post_bind4", "egress"):
        hook = cgroup_bpf.HOOKS[name]
        fd = bpf.load(hook.kind, program.code(), "anybody", attach_type=hook.number)
        bpf.attach(directory, fd, hook.number)
        os.close(fd)
    os.close(directory)


def test_programs_of_others_are_left_alone(jail: Group) -> None:
    _attach_permissive(jail)
    assert jail.hold(B)
    assert [name for name in programs_of(jail)["bind4"] if name == "anybody"] == ["anybody"]
    assert jail.is_held(B)


def test_one_too_many_of_ours_goes(jail: Group) -> None:
    directory = os.open(jail.directory, os.O_RDONLY)
    hook = cgroup_bpf.HOOKS["bind4"]
    program = Assembler()
    program.move(R0, 1)
    program.exit()
    for name in ("jl_old", "jl_older"):
        fd = bpf.load(hook.kind, program.code(), name, attach_type=hook.number)
        bpf.attach(directory, fd, hook.number)
        os.close(fd)
    os.close(directory)
    assert not jail.is_held(A)
    assert jail.hold(A)
    assert len(programs_of(jail)["bind4"]) == 1


@pytest.mark.parametrize("hook", cgroup_bpf.HOOKS)
def test_a_program_that_was_taken_away_is_missed_and_put_back(jail: Group, hook: str) -> None:
    number = cgroup_bpf.HOOKS[hook].number
    directory = os.open(jail.directory, os.O_RDONLY)
    fd = bpf.open_program(bpf.attached(directory, number)[0].id)
    bpf.detach(directory, fd, number)
    os.close(fd)
    os.close(directory)
    assert not jail.is_held(A)
    assert jail.hold(A)
    assert jail.is_held(A)


def test_a_group_that_is_not_there_is_not_held() -> None:
    assert not cgroup_bpf.is_held("/sys/fs/cgroup/no-such-group", "0")


def test_addresses_change_under_a_running_server(jail: Group, host: Host) -> None:
    with jail.running(_serve_twice) as values:
        first = next(values)
        assert host.run(sockets.connect, A4, first) == f"{A4}"
        jail.hold(BOTH)
        assert host.run(sockets.connect, A4, first) == f"{A4}"
        second = next(values)
        assert host.run(sockets.connect, B4, second) == f"{B4}"


def _serve_twice() -> Iterator[Any]:
    """Listen on our first address, and as soon as it is ours on the second one too."""
    yield _serve_in_thread(A4)
    while True:
        try:
            sockets.bind(B4)
            break
        except OSError:
            time.sleep(0.01)
    yield _serve_in_thread(B4)
    time.sleep(60)


def _serve_in_thread(address: str) -> int:
    values = sockets.serve(address)
    port = next(values)
    threading.Thread(target=lambda: next(values), daemon=True).start()
    return int(port)


def test_a_removed_address_stops_working_at_once(jail: Group, host: Host) -> None:
    jail.hold(BOTH)
    with jail.running(sockets.converse, A4) as values, host.running(_hold_connection, A4, next(values)) as talk:
        assert next(talk) == b"before"
        jail.hold(B)
        assert next(talk) == "timeout"
        jail.hold(BOTH)
        assert next(talk) == b"again"


def _hold_connection(address: str, port: int) -> Iterator[Any]:
    """Say something over one connection again and again: it comes back, or it does not."""
    with socket.create_connection((address, port), timeout=30) as made:
        made.sendall(b"before")
        yield made.recv(100)
        made.settimeout(0.5)
        heard: Any = b""
        while heard != "timeout":
            try:
                made.sendall(b"during")
                heard = made.recv(100)
                time.sleep(0.02)
            except TimeoutError:
                heard = "timeout"
        yield heard
        made.settimeout(30)
        made.sendall(b"again")
        while b"again" not in (heard := made.recv(100)):
            continue
        yield b"again"


def test_a_new_connection_to_a_removed_address_does_not_come_about(jail: Group, host: Host) -> None:
    with jail.running(sockets.serve, A4) as values:
        port = next(values)
        jail.hold(B)
        assert host.run(sockets.connect, A4, port) == "timeout"
    assert jail.run(sockets.bind, A4) == UNAVAILABLE
    assert jail.run(sockets.bind, "0.0.0.0") == B4


def test_hundreds_of_addresses_are_held_to(jail: Group) -> None:
    many = Held(
        tuple(f"10.35.{n // 250}.{n % 250 + 1}" for n in range(512)), tuple(f"fd00:35::{n + 1:x}" for n in range(512))
    )
    jail.hold(many)
    assert jail.is_held(many)
    assert jail.run(sockets.bind, A4) == A4
    assert jail.run(sockets.bind, "192.0.2.1") == UNAVAILABLE


def test_a_kernel_thread_that_works_for_the_jail_is_held_as_well(jail: Group, host: Host) -> None:
    """The socket's group counts, and io_uring(7) makes it in that of whoever has made the ring."""
    try:
        io_uring.Ring()
    except OSError as error:
        pytest.skip(f"this kernel has no io_uring for us: {error}")
    assert jail.run(_bind_by_ring, HOST4) == UNAVAILABLE
    assert jail.run(_bind_by_ring, "0.0.0.0") == A4
    with host.running(sockets.serve, HOST4) as values:
        assert jail.run(_connect_by_ring, HOST4, next(values)) == A4


def _ipv4(address: str, port: int) -> bytes:
    return struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton(address))


def _bind_by_ring(address: str) -> str:
    ring = io_uring.Ring()
    made = socket.socket(fileno=ring.call(io_uring.SOCKET, socket.AF_INET, offset=socket.SOCK_STREAM))
    ring.call(io_uring.BIND, made.fileno(), offset=16, address=_ipv4(address, 0))
    return str(made.getsockname()[0])


def _connect_by_ring(address: str, port: int) -> str:
    ring = io_uring.Ring()
    made = socket.socket(fileno=ring.call(io_uring.SOCKET, socket.AF_INET, offset=socket.SOCK_STREAM))
    ring.call(io_uring.CONNECT, made.fileno(), offset=16, address=_ipv4(address, port))
    return made.recv(100).decode()


def test_where_no_program_chooses_the_errno_a_foreign_address_is_a_refused_permission(jail: Group) -> None:
    """As before Linux 5.18; what is allowed is the same."""
    jail.hold(A._replace(names_errors=False))
    assert jail.run(sockets.bind, HOST4) == "EPERM"
    assert jail.run(sockets.bind, "0.0.0.0") == A4


def test_abilities_are_asked_of_the_verifier(monkeypatch: pytest.MonkeyPatch) -> None:
    original = bpf.load

    def load(kind: int, code: bytes, name: str, *, attach_type: int = 0) -> int:
        if struct.pack("=i", 187) in code:
            raise KernelError("load", name, 22)
        return original(kind, code, name, attach_type=attach_type)

    cgroup_bpf.abilities.cache_clear()
    monkeypatch.setattr(bpf, "load", load)
    assert cgroup_bpf.abilities() == cgroup_bpf.Abilities(names_errors=False, low_ports=True)
    cgroup_bpf.abilities.cache_clear()
