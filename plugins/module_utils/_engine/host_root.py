# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Jails without a user namespace: what this host has to have for one, and what a task is told."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._kernel import landlock, seccomp
from .._model.actions import Plan
from .._model.host_root import WARNING, WITHHELD
from .._model.profiles import Privileges, has_user_namespace
from .device_findings import can_hold
from .errors import EngineError
from .finding import Finding
from .findings import PARTIAL, UNAVAILABLE

_PATH = "caps.user_namespace"
_OR_WITH_IDS = "or leave it out: then its root is nobody outside"
_WHO_SEARCHES = stat.S_IXGRP | stat.S_IXOTH


def examine(privileges: Privileges) -> Iterator[Finding]:
    """The truth about such a jail."""
    yield Finding("user_namespace", PARTIAL, WARNING)
    for name in sorted(privileges.withheld):
        yield Finding(f"{'capability' if name.isupper() else 'allow'} {name}", UNAVAILABLE, WITHHELD)


def refuse_unsafe(document: Mapping[str, Any]) -> None:
    """EngineError for such a jail where something is missing that would hold its root; by its effective document."""
    jail = str(document["name"])
    if not seccomp.is_available():
        raise _missing(jail, "without filters of system calls (CONFIG_SECCOMP_FILTER) its root makes namespaces")
    if not can_hold():
        why = "this kernel has neither programs on control groups nor the devices controller to keep it from devices"
        raise _missing(jail, why)
    if document["ip"]["mode"] == "shared" and not landlock.has_scopes():
        raise _missing(jail, "before Linux 6.12 it reaches the host's abstract sockets, where its root is believed")
    for index, mount in enumerate(document["mounts"]):
        if mount.get("source") and not mount["read_only"]:
            refuse_reachable(jail, mount["source"], option=f"mounts[{index}].source")


def refuse_reachable(jail: str, path: str, *, option: str = "") -> None:
    """EngineError for a place of such a jail that users of the host get to; the jail's ``option`` that names it."""
    if is_open_to_others(path):
        raise EngineError(
            jail,
            f"users of the host reach {path}, where the jail's root, who is the host's, can leave them programs that"
            " run as root (set-user-id bits)",
            path=option,
            remedy="have it below a directory that only root may enter (mode 0700)"
            + (", say read_only," if option else "")
            + " or leave caps.user_namespace out",
        )


def is_open_to_others(path: str) -> bool:
    """Whether a user of the host gets to a program in a place, and it would run there as its owner.

    What is above the place decides: its own mode and owner are the jail's to change.
    """
    above = os.path.dirname(os.path.realpath(path))
    while _may_be_entered(above):
        if above == "/":
            return True
        above = os.path.dirname(above)
    return False


def _may_be_entered(directory: str) -> bool:
    """What is not there will be."""
    try:
        status = os.stat(directory)
    except FileNotFoundError:
        return True
    return status.st_uid != 0 or bool(status.st_mode & _WHO_SEARCHES)


def _missing(jail: str, why: str) -> EngineError:
    return EngineError(jail, f"its root would be the host's, and {why}", path=_PATH, remedy=f"say true, {_OR_WITH_IDS}")


def warnings(plans: Iterable[Plan]) -> list[str]:
    """What to tell whoever has just defined or changed such jails: one line for each."""
    return [
        f"jail {plan.jail}: caps.user_namespace: {WARNING}"
        for plan in plans
        if plan.after and not has_user_namespace(plan.after)
    ]
