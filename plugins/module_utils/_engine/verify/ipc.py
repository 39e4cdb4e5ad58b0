# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Attacks on what others share without a path: System V objects, message queues, keys."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from functools import partial

from .attack import Facts, Missing, any_of, any_of_these, attack
from .calls import syscall
from .expectations import never, unfiltered, withdrawn

_KEYCTL_READ, _KEYCTL_SEARCH, _KEYCTL_LINK, _KEYCTL_GET_PERSISTENT = 11, 10, 8, 22
_SESSION, _USER, _USER_SESSION, _PROCESS = -3, -4, -5, -2
_NO_KEY = (errno.ENOKEY, errno.EKEYEXPIRED, errno.EKEYREVOKED, errno.EOPNOTSUPP)
_ABSENT = frozenset({errno.ENOENT, errno.EINVAL, errno.EACCES, errno.EIDRM, errno.EPERM, errno.ENOSYS})
_CREATE, _READ_ONLY, _REMOVE = 0o1600, 0o10000, 0


@attack(never)
def attach_memory_of_others(facts: Facts) -> list[str]:
    """System V shared memory of the host, by key and by number."""
    attempts: dict[str, Callable[[], object]] = {}
    for stranger in facts["strangers"]:
        key, number = stranger["shm_key"], stranger["shm_id"]
        attempts[f"key {key:#x}"] = partial(syscall, "shmget", key, 0, 0)
        attempts[f"id {number}"] = partial(syscall, "shmat", number, 0, _READ_ONLY)
    return any_of(attempts, _ABSENT)


@attack(never)
def use_semaphores_of_others(facts: Facts) -> list[str]:
    """System V semaphores of the host."""
    keys = [stranger["shm_key"] for stranger in facts["strangers"]]
    return any_of({f"{key:#x}": partial(syscall, "semget", key, 0, 0) for key in keys}, _ABSENT)


@attack(never)
def use_message_queues_of_others(facts: Facts) -> list[str]:
    """System V message queues of the host."""
    keys = [stranger["shm_key"] for stranger in facts["strangers"]]
    return any_of({f"{key:#x}": partial(syscall, "msgget", key, 0) for key in keys}, _ABSENT)


@attack(never)
def open_posix_queues_of_others(facts: Facts) -> list[str]:
    """POSIX message queues of the host (mq_overview(7))."""
    names = [stranger["queue"].lstrip("/") for stranger in facts["strangers"]]
    return any_of_these(names, lambda name: syscall("mq_open", name.encode(), os.O_RDONLY, 0, None), _ABSENT)


@attack(withdrawn("sysvshm"))
def share_memory_within(facts: Facts) -> None:
    """System V shared memory of our own."""
    number = syscall("shmget", 0, 4096, _CREATE)
    syscall("shmctl", number, _REMOVE, None)


@attack(withdrawn("sysvsem"))
def share_semaphores_within(facts: Facts) -> None:
    """System V semaphores of our own."""
    number = syscall("semget", 0, 1, _CREATE)
    syscall("semctl", number, 0, _REMOVE, 0)


@attack(withdrawn("sysvmsg"))
def share_message_queues_within(facts: Facts) -> None:
    """System V message queues of our own."""
    number = syscall("msgget", 0, _CREATE)
    syscall("msgctl", number, _REMOVE, None)


@attack(unfiltered, *_NO_KEY)
def use_keys(facts: Facts) -> int:
    """Add a key of our own: the keyrings' quota and their code are the host's."""
    return syscall("add_key", b"user", b"verify", b"x", 1, _PROCESS)


@attack(unfiltered, *_NO_KEY)
def keep_a_persistent_keyring(facts: Facts) -> int:
    """The keyring that the kernel keeps for a user between logins, of uid 0."""
    return syscall("keyctl", _KEYCTL_GET_PERSISTENT, 0, _PROCESS, 0, 0)


@attack(never, *_NO_KEY)
def read_keys_of_others(facts: Facts) -> list[str]:
    """Keys of the host, by number, by search and by request (keyrings(7))."""
    buffer = ctypes.create_string_buffer(64)
    attempts: dict[str, Callable[[], object]] = {}
    for stranger in facts["strangers"]:
        key, name = stranger["key"], stranger["marker"].encode()
        if key is None:
            continue
        attempts[f"read {key}"] = partial(syscall, "keyctl", _KEYCTL_READ, key, buffer, 64, 0)
        attempts[f"link {key}"] = partial(syscall, "keyctl", _KEYCTL_LINK, key, _PROCESS, 0, 0)
        attempts[f"request {key}"] = partial(syscall, "request_key", b"user", name, None, 0)
        for ring in (_SESSION, _USER, _USER_SESSION):
            attempts[f"search {key} in {ring}"] = partial(syscall, "keyctl", _KEYCTL_SEARCH, ring, b"user", name, 0)
    if not attempts:
        raise Missing("this kernel has no keys, or none for the engine")
    return any_of(attempts, frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, *_NO_KEY}))
