# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""One command on the host's network stack, held to addresses of the host: what chbind(8) of VServer did.

The command gets a control group for itself and the programs of mode ``shared`` on it. That is no jail: it runs as it
would without us, and whoever is root can leave the group again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from .._kernel import cgroup_bpf
from .._kernel.address_program import Held
from .._kernel.address_programs import identity, programs
from .._kernel.cgroups import Cgroup, Hierarchies
from .._kernel.errors import KernelError
from .._kernel.rtnetlink import RTN_LOCAL, Reader
from . import host_command, places, status
from .errors import EngineError


def run(addresses: Sequence[str], command: Sequence[str]) -> int:
    """Run a command bound to addresses, the first of a family before the others; its exit status.

    EngineError for an address that the host does not have, KernelError where the kernel cannot hold a group.
    """
    _refuse_foreign(addresses)
    remove_left_over()
    group = Cgroup(_unified(), f"{places.BOUND}/{os.getpid()}-{os.urandom(4).hex()}")
    group.create()
    try:
        _hold(group, addresses)
        pid = group.fork_member()
        if pid == 0:
            host_command.execute("chbind", command)
        return host_command.wait_for(pid)
    finally:
        _remove(group)


def remove_left_over() -> None:
    """Remove the groups whose command has ended since, or has gone with whoever ran it."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(f"{_unified().unified}/{places.BOUND}"):
            group = Cgroup(_unified(), f"{places.BOUND}/{name}")
            # One that was made just now is empty as well, until its command is in it.
            if os.path.isdir(group.unified) and not os.path.exists(f"/proc/{name.partition('-')[0]}"):
                _remove(group)


def _unified() -> Hierarchies:
    """Without controllers: there is nothing to limit."""
    return Hierarchies(status.hierarchies().unified)


def _remove(group: Cgroup) -> None:
    """A group that still has processes, say of a command that went into the background, is left to the next one."""
    with contextlib.suppress(KernelError):
        group.remove(timeout=0.0)


def _refuse_foreign(addresses: Sequence[str]) -> None:
    with Reader() as reader:
        for address in addresses:
            route = reader.route_to(address)
            if route is None or route.type != RTN_LOCAL:
                raise EngineError(
                    "", f"{address} is not an address of this host", remedy="add it first: ip address add"
                )


def _hold(group: Cgroup, addresses: Sequence[str]) -> None:
    held = Held(
        ipv4=tuple(address for address in addresses if ":" not in address),
        ipv6=tuple(address for address in addresses if ":" in address),
        ping=True,
        names_errors=cgroup_bpf.abilities().names_errors,
    )
    cgroup_bpf.hold(group.unified, identity(held), lambda: programs(held))
