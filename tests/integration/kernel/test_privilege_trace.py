# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What processes of some users ask the kernel for, as the kernel tells it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel import capabilities
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.plugins.module_utils._kernel.privilege_trace import Seen, tracing
from ansible_collections.hosting.jails.plugins.module_utils._kernel.processes import set_name
from ansible_collections.hosting.jails.plugins.module_utils._kernel.syscall_numbers import numbers

USERS = range(0x7F000000, 0x7F030000)
LEFT_OUT = "on-its-way-in"
PR_SET_KEEPCAPS = 8


@pytest.fixture(autouse=True)
def told() -> None:
    try:
        with tracing(USERS, but=LEFT_OUT):
            return
    except KernelError as error:
        pytest.skip(f"this kernel does not tell: {error}")


def seen_of(uid: int, action: Callable[[], object], *, name: str = "python") -> Seen:
    """What is seen of a child with all capabilities, as a user of its own."""
    with tracing(USERS, but=LEFT_OUT) as trace:
        pid = os.fork()
        if pid == 0:
            try:
                set_name(name)
                ctypes.CDLL(None).prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
                held = capabilities.read_sets(os.getpid()).permitted
                os.setresuid(uid, uid, uid)
                capabilities.set_capabilities(permitted=held, effective=held)
                action()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        return trace.read()


def names(seen: Seen) -> set[str]:
    return {capabilities.name_of(number) for number in seen.capabilities}


def chown() -> None:
    os.chown("/dev/null", 0, 0)


def test_what_is_asked_for_and_given_is_seen() -> None:
    seen = seen_of(USERS[0], chown)
    assert names(seen) == {"CHOWN"}
    assert numbers(os.uname().machine)["chown"] in seen.calls
    assert names(seen_of(USERS[-1], lambda: os.setgroups([5]))) == {"SETGID"}


def test_what_is_refused_is_not_seen() -> None:
    def give_up_and_try() -> None:
        capabilities.set_capabilities(permitted=(), effective=())
        chown()

    assert names(seen_of(USERS[0], give_up_and_try)) <= {"SETPCAP"}


@pytest.mark.parametrize("uid", [0, USERS[0] - 1, USERS[-1] + 1])
def test_other_users_are_left_out(uid: int) -> None:
    assert seen_of(uid, chown) == (frozenset(), frozenset())


def test_so_is_who_has_a_certain_name() -> None:
    assert seen_of(USERS[0], chown, name=LEFT_OUT) == (frozenset(), frozenset())
    assert names(seen_of(USERS[0], chown, name=LEFT_OUT[:-2])) == {"CHOWN"}


def test_nobody_is_traced_any_more_afterwards() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with tracing(USERS, but=LEFT_OUT):
        assert len(os.listdir("/proc/self/fd")) == before + 3
    assert len(os.listdir("/proc/self/fd")) == before
