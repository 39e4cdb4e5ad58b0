# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import re
from collections.abc import Mapping

from .._kernel import cgroup_bpf, sysctls
from .._kernel.rtnetlink import RTN_LOCAL, Reader
from .errors import EngineError
from .network_conflicts import taken_addresses
from .network_state import marked_jail
from .shared_addresses import ip_of, read_record
from .shared_network import Wanted

_RTN_UNICAST = 1
# Sockets keep their version 2 control group beside these two only since then (D.7: cgroup: fix cgroup_sk_alloc()).
_TOGETHER = (5, 15)


def refuse(want: Wanted, taken: Mapping[str, str] | None) -> None:
    """EngineError for what ensure() or a start would refuse; changes nothing.

    Refused are a kernel that cannot hold a jail, an address that is somebody else's, and a link that is not there.
    ``taken`` is that of network.preflight(): an address that it says is to be this very jail's is about to be given up
    by whoever has it.
    """
    _refuse_lost_sockets(want.jail)
    known = taken_addresses(want.jail) if taken is None else taken
    record = read_record(want.jail)
    with Reader() as reader:
        for number, address in enumerate(want.addresses):
            if known.get(address, want.jail) != want.jail:
                raise _conflict(want, number, f"it belongs to jail {known[address]}")
            if _is_missing(want, number, reader, promised=address in known) or address in record:
                _refuse_link(want, address, reader)


def _refuse_lost_sockets(jail: str) -> None:
    together = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2]) >= _TOGETHER
    if not together and cgroup_bpf.has_competing_hierarchies():
        raise EngineError(
            jail,
            "before Linux 5.15 sockets forget their control group where net_cls or net_prio is mounted",
            path="ip.mode",
            remedy="unmount those two, or use mode: vnet",
        )


def _is_missing(want: Wanted, number: int, reader: Reader, *, promised: bool) -> bool:
    """Whether the host does not have an address yet; EngineError where it cannot have it."""
    address = want.addresses[number]
    if ":" in address and sysctls.read("net/ipv6/conf/all/disable_ipv6") is None:
        raise EngineError(
            want.jail,
            "this kernel runs without IPv6",
            path=f"ip.addresses[{number}]",
            remedy="leave the IPv6 addresses out, or boot the host without ipv6.disable=1",
        )
    route = reader.route_to(ip_of(address))
    if route is None:
        return True
    if route.type == RTN_LOCAL:
        return False
    if route.type != _RTN_UNICAST:
        raise _conflict(want, number, "it is a broadcast or multicast address of this host")
    if route.to == address and not promised:
        link = reader.link(index=route.link) if route.link else None
        other = marked_jail(link.alias) if link else ""
        if other != want.jail:
            name = link.name if link else "no link"
            raise _conflict(
                want, number, f"it belongs to jail {other}" if other else f"this host routes it through {name}"
            )
    return True


def _refuse_link(want: Wanted, address: str, reader: Reader) -> None:
    """EngineError for a link that cannot carry an address that we have to add."""
    if not want.interface:
        raise EngineError(
            want.jail,
            f"{ip_of(address)} is not an address of this host yet, and nothing says which link is to carry it",
            path="ip.interface",
            remedy="name one of the host's links, as in eth0",
        )
    link = reader.link(name=want.interface)
    if link is None:
        names = ", ".join(sorted(one.name for one in reader.links() if not marked_jail(one.alias)))
        raise EngineError(
            want.jail, f"this host has no link {want.interface}", path="ip.interface", remedy=f"it has {names}"
        )
    if marked_jail(link.alias):
        raise EngineError(
            want.jail,
            f"{want.interface} leads to jail {marked_jail(link.alias)}",
            path="ip.interface",
            remedy="name a link of the host's own",
        )


def _conflict(want: Wanted, number: int, use: str) -> EngineError:
    return EngineError(
        want.jail,
        f"{want.addresses[number]} is taken: {use}",
        path=f"ip.addresses[{number}]",
        remedy="give the jail an address of its own",
    )
