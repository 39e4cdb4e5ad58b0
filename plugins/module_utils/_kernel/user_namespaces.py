# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os

from . import namespaces
from .capabilities import set_securebits
from .credentials import become
from .errors import KernelError
from .processes import set_undumpable

# Far from all ranges of ids that anybody is given.
_MAKERS = 0xF0000000
_NO_SETUID_FIXUP = 1 << 2


def create(*, base: int, size: int) -> int:
    """Descriptor of a user namespace in which ids 0..size-1 are the host's base..base+size-1.

    A helper process makes it and has its maps written by us, the parent, since only a process with CAP_SETUID in
    the parent namespace may map more than itself (user_namespaces(7)).

    Whatever the kernel counts by user (namespaces, inotify, message queues, signals, locked memory) it counts in all
    namespaces above as well, there for who has made the one below (inc_ucount() in kernel/ucount.c). For our root that
    would be one account of all jails and the host; so each has a maker that is nobody else, and inside it nobody.
    """
    ready_reader, ready_writer = os.pipe()
    hold_reader, hold_writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _hold_user_namespace(ready_writer, (ready_reader, hold_writer), hold_reader, maker=maker_of(base))
    os.close(ready_writer)
    os.close(hold_reader)
    try:
        if os.read(ready_reader, 1) != b"r":
            raise KernelError("unshare", "user", 28)
        for kind in ("uid_map", "gid_map"):
            _write_map(f"/proc/{pid}/{kind}", f"0 {base} {size}\n")
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready_reader)
        os.close(hold_writer)
        os.waitpid(pid, 0)


def maker_of(base: int) -> int:
    """The host's id of who makes the user namespace with ids from ``base`` on, and owns it."""
    return _MAKERS + (base >> 8)


def _hold_user_namespace(ready: int, foreign: tuple[int, int], hold: int, *, maker: int) -> None:
    """Child: enter the new namespace, say so, and stay until the parent hangs up."""
    try:
        for fd in foreign:
            os.close(fd)
        _be_the_maker(maker)
        namespaces.unshare(namespaces.NEWUSER)
        os.write(ready, b"r")
        os.read(hold, 1)
    finally:
        os._exit(0)


def _be_the_maker(uid: int) -> None:
    """Become a user who keeps every capability, and whose limits bind nobody: those of the jail's processes do.

    A host that is a container itself may not have the id, or not the right: its root makes the namespace then.
    """
    import resource

    for limit in (resource.RLIMIT_NPROC, resource.RLIMIT_MSGQUEUE, resource.RLIMIT_SIGPENDING, resource.RLIMIT_MEMLOCK):
        try:
            resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except ValueError:
            most = resource.getrlimit(limit)[1]
            resource.setrlimit(limit, (most, most))
    with contextlib.suppress(OSError, KernelError):
        set_securebits(_NO_SETUID_FIXUP)
        os.setresuid(uid, uid, uid)


def _write_map(path: str, line: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(line)
    except OSError as error:
        raise KernelError.from_os_error("write", path, error) from error


def become_root_of(fd: int) -> None:
    """Join a user namespace as its root. There is no way back.

    Joining gives every capability in it but keeps the ids, which it has no names for (user_namespaces(7)). The
    change of credentials clears the parent death signal and may make us dumpable: we make sure that it does not.
    """
    namespaces.setns(fd, namespaces.NEWUSER)
    become(uid=0, gid=0, groups=[])
    set_undumpable()
