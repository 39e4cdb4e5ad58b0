# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Sequence

from .errors import KernelError


def become(*, uid: int, gid: int, groups: Sequence[int]) -> None:
    """Take all four user and group ids and the supplementary groups, in the only order that works (credentials(7)).

    Clears the parent death signal, and the dumpable flag goes back to fs.suid_dumpable.
    """
    try:
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        raise KernelError.from_os_error("become", f"uid {uid} gid {gid} groups {list(groups)}", error) from error
