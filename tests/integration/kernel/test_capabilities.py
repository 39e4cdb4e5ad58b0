# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import resource
import tempfile
import time
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel import capabilities
from ansible_collections.hosting.jails.plugins.module_utils._kernel.capabilities import name_of, number_of
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.tests.integration.kernel.jailed import (
    attempt,
    in_child,
    in_user_namespace,
    prctl,
    status_after_exec,
)

PR_GET_SECUREBITS = 27
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NOROOT_LOCKED = 0x3
SOME = frozenset(number_of(name) for name in ("CHOWN", "SETPCAP", "NET_BIND_SERVICE", "CHECKPOINT_RESTORE"))
LAST = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
EVERY = frozenset(range(LAST + 1))


def mask(numbers: frozenset[int]) -> int:
    return sum(1 << number for number in numbers)


def test_this_kernel_has_no_capability_without_a_name() -> None:
    assert name_of(LAST).isidentifier(), f"capability {LAST} is newer than the collection: name it"


@pytest.mark.parametrize("keep", [frozenset(), SOME, EVERY], ids=["none", "some", "every"])
def test_the_bounding_set_is_what_was_kept_and_nothing_newer(keep: frozenset[int]) -> None:
    def bounding() -> list[int]:
        capabilities.drop_bounding(keep)
        return sorted(capabilities.read_sets(os.getpid()).bounding)

    assert in_user_namespace(bounding) == sorted(keep)


def test_exec_as_root_gives_the_bounding_set_and_no_more() -> None:
    fields = in_user_namespace(lambda: status_after_exec(lambda: capabilities.drop_bounding(SOME)))
    for field in ("CapPrm", "CapEff", "CapBnd"):
        assert int(fields[field], 16) == mask(SOME)


def test_the_bounding_set_cannot_be_lowered_without_setpcap() -> None:
    def lower() -> None:
        capabilities.set_capabilities(permitted=(), effective=())
        capabilities.drop_bounding(SOME)

    with pytest.raises(KernelError, match="EPERM"):
        in_user_namespace(lower)


def test_the_three_sets_are_set_one_by_one() -> None:
    def sets() -> list[list[int]]:
        capabilities.set_capabilities(permitted=SOME, effective={0}, inheritable={10})
        found = capabilities.read_sets(os.getpid())
        return [sorted(found.permitted), sorted(found.effective), sorted(found.inheritable)]

    assert in_user_namespace(sets) == [sorted(SOME), [0], [10]]


def test_what_was_given_up_does_not_come_back() -> None:
    def take_back() -> None:
        capabilities.set_capabilities(permitted=SOME, effective=SOME)
        capabilities.set_capabilities(permitted=EVERY, effective=EVERY)

    with pytest.raises(KernelError, match="EPERM"):
        in_user_namespace(take_back)


def test_the_ambient_set_is_emptied() -> None:
    def ambient() -> list[int]:
        everything = capabilities.read_sets(os.getpid()).permitted
        capabilities.set_capabilities(permitted=everything, effective=everything, inheritable=everything)
        capabilities.libc.call("prctl", "raise", "prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 10, 0, 0)
        before = len(capabilities.read_sets(os.getpid()).ambient)
        capabilities.clear_ambient()
        return [before, len(capabilities.read_sets(os.getpid()).ambient)]

    assert in_user_namespace(ambient) == [1, 0]


def test_securebits_are_set_and_locked() -> None:
    def bits() -> int:
        capabilities.set_securebits(SECBIT_NOROOT_LOCKED)
        return prctl(PR_GET_SECUREBITS)

    assert in_user_namespace(bits) == SECBIT_NOROOT_LOCKED

    def unlock() -> None:
        capabilities.set_securebits(SECBIT_NOROOT_LOCKED)
        capabilities.set_securebits(0)

    with pytest.raises(KernelError, match="EPERM"):
        in_user_namespace(unlock)


def test_the_sets_of_a_process_that_is_gone_are_an_error() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    with pytest.raises(KernelError) as caught:
        capabilities.read_sets(pid)
    assert caught.value.errno in (errno.ENOENT, errno.ESRCH)


def test_root_reads_the_sets_of_others() -> None:
    assert capabilities.read_sets(1).bounding


class TestWhatOnlyTheHostHas:
    """The model refuses to keep these capabilities, or calls them limited: the kernel has to agree."""

    @pytest.mark.parametrize(
        ("capability", "call", "arguments"),
        [
            ("SYS_MODULE", "delete_module", (b"no-such-module", 0)),
            ("SYS_PACCT", "acct", (0,)),
            ("SYSLOG", "syslog", (3, b"", 0)),
            ("SYS_TTY_CONFIG", "vhangup", ()),
            ("SYS_ADMIN", "swapoff", (b"/no-such-file",)),
        ],
    )
    def test_is_refused_to_root_in_a_user_namespace(
        self, capability: str, call: str, arguments: tuple[object, ...]
    ) -> None:
        def refused() -> int:
            assert number_of(capability) in capabilities.read_sets(os.getpid()).effective
            return attempt(call, *arguments)

        assert in_user_namespace(refused) in (errno.EPERM, errno.ENOSYS)

    def test_the_clock_is_refused(self) -> None:
        def set_clock() -> int:
            try:
                time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME))
            except OSError as error:
                return error.errno or -1
            return 0

        assert in_user_namespace(set_clock) == errno.EPERM

    def test_device_nodes_are_refused(self) -> None:
        def make_node(directory: str) -> int:
            try:
                os.mknod(f"{directory}/null", 0o20666, os.makedev(1, 3))
            except OSError as error:
                return error.errno or -1
            return 0

        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o777)
            assert in_user_namespace(lambda: make_node(directory)) == errno.EPERM

    def test_hard_limits_cannot_be_raised(self) -> None:
        def raise_limit() -> int:
            _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard + 1))
            except (OSError, ValueError):
                return 1
            return 0

        assert in_user_namespace(raise_limit) == 1

    def test_priority_cannot_be_raised(self) -> None:
        def raise_priority() -> int:
            try:
                os.setpriority(os.PRIO_PROCESS, 0, -5)
            except OSError as error:
                return error.errno or -1
            return 0

        assert in_user_namespace(raise_priority) == errno.EACCES

    def test_memory_is_locked_within_the_limit_only(self) -> None:
        def lock_all() -> int:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, 4096))
            return attempt("mlockall", 1)

        assert in_user_namespace(lock_all) == errno.ENOMEM


def test_a_child_of_ours_shares_nothing_with_us() -> None:
    before = capabilities.read_sets(os.getpid())
    in_child(lambda: capabilities.drop_bounding(()))
    assert capabilities.read_sets(os.getpid()) == before
