# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import syscall_policy
from ansible_collections.hosting.jails.plugins.module_utils._kernel import processes, seccomp
from ansible_collections.hosting.jails.plugins.module_utils._kernel.capabilities import set_capabilities
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.plugins.module_utils._kernel.seccomp_compiler import compile_filter
from ansible_collections.hosting.jails.tests.integration.kernel.jailed import (
    NUMBERS,
    attempt,
    in_child,
    in_user_namespace,
    status,
    status_after_exec,
)

MACHINE = os.uname().machine
FILTER = compile_filter(syscall_policy.verdicts(()), architecture=MACHINE)

CLONE_NEWUSER = 0x10000000
CLONE_NEWTIME = 0x80
TIOCSTI = 0x5412
TIOCLINUX = 0x541C
TIOCGWINSZ = 0x5413
TIOCSETD = 0x5423
PER_LINUX32 = 0x8
ADDR_NO_RANDOMIZE = 0x40000
X32_BIT = 0x40000000

only_x86_64 = pytest.mark.skipif(MACHINE != "x86_64", reason="x32 and i386 programs exist on x86_64 only")


def load() -> None:
    processes.set_no_new_privileges()
    seccomp.load_filter(FILTER)


def filtered(function: Callable[[], Any]) -> Any:
    def run() -> Any:
        load()
        return function()

    return in_child(run)


def socket_errno(family: int, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> int:
    try:
        socket.socket(family, kind, protocol).close()
    except OSError as error:
        return error.errno or -1
    return 0


class TestLoading:
    def test_this_kernel_has_filters(self) -> None:
        assert seccomp.is_available()

    def test_needs_no_new_privileges_or_an_administrator(self) -> None:
        def without_either() -> None:
            set_capabilities(permitted=(), effective=())
            seccomp.load_filter(FILTER)

        with pytest.raises(KernelError, match="EACCES"):
            in_child(without_either)

    def test_is_enough_to_be_administrator_of_ones_user_namespace(self) -> None:
        def as_administrator() -> list[str]:
            seccomp.load_filter(FILTER)
            return [status()["Seccomp"], status()["NoNewPrivs"]]

        assert in_user_namespace(as_administrator) == ["2", "0"]

    @pytest.mark.parametrize("damaged", [b"", FILTER[:-8], b"\xff" * 8, FILTER * 40])
    def test_refuses_what_is_no_filter(self, damaged: bytes) -> None:
        def load_damaged() -> None:
            processes.set_no_new_privileges()
            seccomp.load_filter(damaged)

        with pytest.raises(KernelError, match="EINVAL"):
            in_child(load_damaged)

    def test_lasts_over_exec(self) -> None:
        fields = in_child(lambda: status_after_exec(load))
        assert fields["Seccomp"] == "2"

    def test_stays_when_another_filter_comes(self) -> None:
        def load_twice() -> str:
            load()
            seccomp.load_filter(FILTER)
            return status()["Seccomp_filters"]

        assert filtered(load_twice) == "3"


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        (syscall_policy.REFUSED, errno.EPERM),
        (frozenset().union(*syscall_policy.GATED.values()), errno.EPERM),
        (syscall_policy.OBSOLETE, errno.ENOSYS),
    ],
    ids=["refused", "gated", "obsolete"],
)
def test_every_refused_call_fails_for_the_host_root(names: frozenset[str], answer: int) -> None:
    here = sorted(names & set(NUMBERS))
    assert here
    assert filtered(lambda: {name: attempt(name) for name in here}) == dict.fromkeys(here, answer)


class TestNamespaces:
    def test_cannot_be_made(self) -> None:
        assert filtered(lambda: attempt("unshare", CLONE_NEWUSER)) == errno.EPERM
        assert filtered(lambda: attempt("unshare", CLONE_NEWTIME)) == errno.EPERM
        assert filtered(lambda: attempt("clone", CLONE_NEWUSER | 17, 0, 0, 0, 0)) == errno.EPERM
        assert filtered(lambda: attempt("clone", CLONE_NEWUSER | 17 | 1 << 32, 0, 0, 0, 0)) == errno.EPERM

    def test_clone3_is_not_there(self) -> None:
        assert filtered(lambda: attempt("clone3", 0, 0)) == errno.ENOSYS

    def test_threads_and_programs_start_without_clone3(self) -> None:
        def start() -> list[str]:
            seen: list[str] = []
            thread = threading.Thread(target=seen.append, args=("thread",))
            thread.start()
            thread.join()
            seen.append(subprocess.run(["/bin/echo", "program"], check=True, capture_output=True, text=True).stdout)
            return seen

        assert filtered(start) == ["thread", "program\n"]


class TestSockets:
    @pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET, socket.AF_INET6])
    def test_everyday_families_work(self, family: int) -> None:
        assert filtered(lambda: socket_errno(family)) == socket_errno(family)

    @pytest.mark.parametrize("family", [*range(3, 10), *range(11, 16), *range(17, 50)])
    def test_no_other_family_exists(self, family: int) -> None:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            assert filtered(lambda kind=kind: socket_errno(family, kind)) == errno.EAFNOSUPPORT

    def test_the_hypervisor_is_not_reached_by_a_high_bit(self) -> None:
        vsock = 40
        assert filtered(lambda: attempt("socket", vsock | 1 << 32, socket.SOCK_STREAM, 0)) == errno.EAFNOSUPPORT

    def test_protocols_that_load_modules_do_not_exist(self) -> None:
        sctp, dccp, l2tp = 132, 33, 115
        for protocol in (sctp, dccp, l2tp):
            answer = filtered(lambda protocol=protocol: socket_errno(socket.AF_INET, socket.SOCK_DGRAM, protocol))
            assert answer == errno.EPROTONOSUPPORT

    def test_routes_are_read_and_audit_does_not_exist(self) -> None:
        netlink, route, audit = 16, 0, 9
        assert filtered(lambda: socket_errno(netlink, socket.SOCK_RAW, route)) == 0
        assert filtered(lambda: socket_errno(netlink, socket.SOCK_RAW, audit)) == errno.EPROTONOSUPPORT

    def test_pairs_are_of_the_unix_family(self) -> None:
        def pairs() -> list[int]:
            found = (ctypes.c_int * 2)()
            return [attempt("socketpair", family, 1, 0, ctypes.byref(found)) for family in (1, 30)]

        assert filtered(pairs) == [0, errno.EAFNOSUPPORT]


class TestTerminals:
    @pytest.mark.parametrize("command", [TIOCSTI, TIOCLINUX, TIOCSTI | 1 << 32, TIOCLINUX | 0xFFFFFFFF << 32])
    def test_nothing_can_be_typed_into_one(self, command: int) -> None:
        def type_something() -> int:
            _master, slave = pty.openpty()
            return attempt("ioctl", slave, command, ctypes.byref(ctypes.c_char(b"x")))

        assert filtered(type_something) == errno.EPERM

    def test_none_gets_another_driver(self) -> None:
        def set_line_discipline() -> int:
            _master, slave = pty.openpty()
            return attempt("ioctl", slave, TIOCSETD, ctypes.byref(ctypes.c_int(0)))

        assert in_child(set_line_discipline) == 0
        assert filtered(set_line_discipline) == errno.EPERM

    def test_one_can_be_opened_and_measured(self) -> None:
        def measure() -> int:
            _master, slave = pty.openpty()
            return attempt("ioctl", slave, TIOCGWINSZ, ctypes.create_string_buffer(8))

        assert filtered(measure) == 0


def test_personalities_of_debuggers_are_refused() -> None:
    assert filtered(lambda: attempt("personality", ADDR_NO_RANDOMIZE)) == errno.EPERM
    assert filtered(lambda: attempt("personality", PER_LINUX32)) == 0
    assert filtered(lambda: attempt("personality", 0xFFFFFFFF)) == 0


def test_a_call_newer_than_the_table_is_not_there() -> None:
    def call_unknown() -> int:
        ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(max(NUMBERS.values()) + 1))
        return ctypes.get_errno()

    assert filtered(call_unknown) == errno.ENOSYS


@only_x86_64
@pytest.mark.parametrize("name", ["getpid", "mount", "unshare", "read"])
def test_x32_calls_are_not_there(name: str) -> None:
    def call_x32() -> int:
        ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(NUMBERS[name] | X32_BIT), 0, 0, 0)
        return ctypes.get_errno()

    assert filtered(call_x32) == errno.ENOSYS


@only_x86_64
def test_i386_calls_of_a_64_bit_program_are_not_there() -> None:
    """int 0x80 with the number of getpid, and with that of mount on i386 (21), which is harmless on x86_64 (access)."""

    def interrupt(number: int) -> int:
        # push rbx; xor ebx, ebx; mov eax, NUMBER; int 0x80; pop rbx; ret
        code = b"\x53\x31\xdb\xb8" + number.to_bytes(4, "little") + b"\xcd\x80\x5b\xc3"
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        return function()

    getpid, mount = 20, 21
    assert in_child(lambda: interrupt(getpid)) != -errno.ENOSYS
    assert filtered(lambda: [interrupt(getpid), interrupt(mount)]) == [-errno.ENOSYS] * 2


def test_ordinary_programs_run_under_the_filter() -> None:
    script = (
        "import asyncio, hashlib, multiprocessing, os, sqlite3, ssl, subprocess, tempfile, threading\n"
        "tempfile.TemporaryFile().write(b'x')\n"
        "asyncio.run(asyncio.sleep(0))\n"
        "sqlite3.connect(':memory:').execute('select 1')\n"
        "with multiprocessing.Pool(2) as pool: assert pool.map(abs, [-1, 2]) == [1, 2]\n"
        "assert subprocess.run(['true']).returncode == 0\n"
        "print('fine')\n"
    )

    def run() -> str:
        return subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True).stdout

    assert filtered(run) == "fine\n"
