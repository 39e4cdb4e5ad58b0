# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import struct

from . import libc
from .errors import KernelError

# System calls with one number everywhere.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_VERSION = 1
# The first that knows scopes (Linux 6.12).
_SCOPES = 6
_SCOPE_ABSTRACT_UNIX_SOCKET = 1
# struct landlock_ruleset_attr: handled_access_fs, handled_access_net, scoped.
_RULESET = struct.Struct("=QQQ")


def has_scopes() -> bool:
    """Whether this kernel can keep a process from abstract sockets of others."""
    try:
        return libc.syscall("ask", "landlock", _CREATE_RULESET, None, 0, _VERSION) >= _SCOPES
    except KernelError:
        return False


def scope_abstract_sockets() -> None:
    """From now on we and our descendants connect only to abstract sockets (unix(7)) that one of us has made.

    Needs no_new_privs or CAP_SYS_ADMIN in our user namespace. It forbids nothing of files, mounts and networks; but no
    process of ours traces one that is no descendant of whoever called this (landlock(7)).
    """
    attributes = _RULESET.pack(0, 0, _SCOPE_ABSTRACT_UNIX_SOCKET)
    ruleset = libc.syscall("make", "landlock ruleset", _CREATE_RULESET, attributes, len(attributes), 0)
    try:
        libc.syscall("enter", "landlock domain", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
