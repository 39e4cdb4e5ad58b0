# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attacks on what others share without a path: System V objects, message queues, keys."""

from __future__ import annotations

import ctypes
import errno
import os

from attack import Facts, any_of, attack
from syscalls import checked, libc, syscall

_KEYCTL_READ, _KEYCTL_DESCRIBE, _KEYCTL_SEARCH, _KEYCTL_LINK, _KEYCTL_GET_PERSISTENT = 11, 6, 10, 8, 22
_SESSION, _USER, _USER_SESSION, _PROCESS = -3, -4, -5, -2
_NO_KEY = (errno.ENOKEY, errno.EKEYEXPIRED, errno.EKEYREVOKED, errno.EOPNOTSUPP)
_IPC_STAT = 2


@attack(errno.ENOENT, errno.EINVAL, errno.EIDRM)
def attach_memory_of_others(facts: Facts) -> list[str]:
    attempts = {}
    for stranger in facts["strangers"]:
        key, number = stranger["shm_key"], stranger["shm_id"]
        attempts[f"key {key:#x}"] = lambda key=key: checked(libc.shmget(key, 0, 0), "shmget")
        attempts[f"id {number}"] = lambda number=number: _attach(number)
    return any_of(attempts, frozenset({errno.ENOENT, errno.EINVAL, errno.EACCES, errno.EIDRM}))


def _attach(number: int) -> None:
    libc.shmat.restype = ctypes.c_void_p
    if libc.shmat(number, None, 0o10000) in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "shmat")


@attack(errno.ENOENT)
def use_semaphores_of_others(facts: Facts) -> list[str]:
    keys = [stranger["shm_key"] for stranger in facts["strangers"]]
    return any_of(
        {f"{key:#x}": lambda key=key: checked(libc.semget(key, 0, 0), "semget") for key in keys},
        frozenset({errno.ENOENT, errno.EACCES}),
    )


@attack(errno.ENOENT)
def use_message_queues_of_others(facts: Facts) -> list[str]:
    attempts = {}
    for stranger in facts["strangers"]:
        key, name = stranger["shm_key"], stranger["queue"].encode()
        attempts[f"System V {key:#x}"] = lambda key=key: checked(libc.msgget(key, 0), "msgget")
        attempts[f"POSIX {stranger['queue']}"] = lambda name=name: os.close(checked(libc.mq_open(name, 0), "mq_open"))
    return any_of(attempts, frozenset({errno.ENOENT, errno.EACCES}))


@attack(*_NO_KEY)
def use_keys(facts: Facts) -> int:
    """A key of our own: the keyrings' quota and their code are the host's."""
    return syscall("add_key", b"user", b"escape", b"x", 1, _PROCESS)


@attack(*_NO_KEY)
def read_keys_of_others(facts: Facts) -> list[str]:
    buffer = ctypes.create_string_buffer(64)
    attempts = {}
    for stranger in facts["strangers"]:
        key, name = stranger["key"], stranger["marker"].encode()
        if key is None:
            continue
        attempts[f"read {key}"] = lambda key=key: syscall("keyctl", _KEYCTL_READ, key, buffer, 64, 0)
        attempts[f"link {key}"] = lambda key=key: syscall("keyctl", _KEYCTL_LINK, key, _PROCESS, 0, 0)
        attempts[f"request {key}"] = lambda name=name: syscall("request_key", b"user", name, None, 0)
        for ring in (_SESSION, _USER, _USER_SESSION):
            attempts[f"search {key} in {ring}"] = lambda name=name, ring=ring: syscall(
                "keyctl", _KEYCTL_SEARCH, ring, b"user", name, 0
            )
    return any_of(attempts, frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, *_NO_KEY}))
