# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Mode ``shared``: a jail on the network stack of the host, held to its own addresses.

Two things make it: addresses on a link of the host (``shared_addresses``), and programs on the hooks of the jail's
control group (``address_programs``). The addresses come with the definition and go with it. The programs are there
before the first process of a jail is, hold for all that it starts, and are replaced one by one, without a gap, when
the addresses of a running jail change. Nothing of ours has to run for that.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from .._kernel import cgroup_bpf, links, socket_ends
from .._kernel.address_program import Held
from .._kernel.address_programs import identity, programs
from .._kernel.cgroups import Cgroup
from .._kernel.errors import KernelError
from .._kernel.rtnetlink import Reader
from .._model.live import NetworkLive
from .._model.profiles import privileges_of
from . import shared_addresses, status, store
from .errors import EngineError
from .network_state import canonical_prefix
from .shared_addresses import Carried, Carrier, ip_of

# Each turn does what is left to do, and the next one looks again. The kernel routes to a new IPv6 address when a worker
# of its own finds the time (addrconf_dad_work in net/ipv6/addrconf.c), so those after the first two wait, longer each.
_ROUNDS = 10
_PAUSE_SECONDS = 0.01


class Wanted(NamedTuple):
    """What a document asks for: addresses with their prefixes, and the link that carries those that we add."""

    jail: str
    addresses: tuple[str, ...]
    interface: str
    held: Held


def wanted(document: Mapping[str, Any]) -> Wanted:
    """Read an effective document. EngineError where the kernel has none of the hooks that it takes."""
    ip, jail = document["ip"], document["name"]
    addresses = tuple(canonical_prefix(address) for address in ip["addresses"])
    return Wanted(jail, addresses, ip.get("interface") or "", _held(document, addresses))


def _held(document: Mapping[str, Any], addresses: tuple[str, ...]) -> Held:
    kept = privileges_of(document).capabilities
    able = _abilities(document["name"])
    return Held(
        ipv4=tuple(ip_of(address) for address in addresses if ":" not in address),
        ipv6=tuple(ip_of(address) for address in addresses if ":" in address),
        low_ports=able.low_ports and "NET_BIND_SERVICE" in kept,
        ping="NET_RAW" in kept,
        names_errors=able.names_errors,
        no_low_ports="NET_BIND_SERVICE" not in kept,
    )


def _with_caps_in_force(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Addresses change while a jail runs; what its root may do with them does by a restart, like all else of caps."""
    jail = document["name"]
    started = store.read_started(jail, document) if status.group(jail).exists() else None
    return {**document, "caps": started["caps"], "init": started["init"]} if started else document


def _abilities(jail: str) -> cgroup_bpf.Abilities:
    try:
        return cgroup_bpf.abilities()
    except KernelError as error:
        raise EngineError(
            jail,
            f"this kernel cannot hold a jail to its addresses ({error})",
            path="ip.mode",
            remedy="boot one with CONFIG_CGROUP_BPF, or use mode: vnet",
        ) from error


def observe(document: Mapping[str, Any], links: Reader | None = None) -> NetworkLive | None:
    """What a jail has of what its document asks for, None where that is nothing."""
    want = wanted(_with_caps_in_force(document))
    reader = links or Reader()
    try:
        carried = _look(want, reader)
    finally:
        if links is None:
            reader.close()
    if not carried.addresses and not carried.recorded:
        return None
    return NetworkLive(mode="shared", addresses=carried.addresses, up=carried.in_place and _is_held(want))


def _look(want: Wanted, reader: Reader) -> Carried:
    return shared_addresses.look(want.jail, want.addresses, want.interface, reader)


def _is_held(want: Wanted) -> bool:
    group = status.group(want.jail)
    return not group.exists() or cgroup_bpf.is_held(group.unified, identity(want.held))


def observe_remains(jail: str) -> NetworkLive:
    """What we have added for a jail whose document asks for another mode."""
    return NetworkLive(mode="shared", addresses=tuple(sorted(shared_addresses.read_record(jail))))


def hold(group: Cgroup, document: Mapping[str, Any]) -> None:
    """Put the programs on the hooks of a jail's control group. KernelError means that nothing may run in it."""
    _hold(group, wanted(document).held)


def ensure(document: Mapping[str, Any], index: int) -> bool:
    """Make addresses and programs what the document says, from whatever is there; whether anything changed.

    New addresses are there before the programs allow them, and old ones go when no program allows them any more.
    EngineError for a link that does not exist or that cannot carry them.
    """
    want = wanted(_with_caps_in_force(document))
    with Reader() as reader:
        for turn in range(_ROUNDS):
            if turn > 1:
                time.sleep(_PAUSE_SECONDS * 2 ** (turn - 2))
            carried = _look(want, reader)
            if carried.addresses == want.addresses and carried.in_place and _is_held(want):
                return turn > 0
            _repair(want, Carrier(want.jail, index, want.interface), carried, reader)
    raise EngineError(
        want.jail,
        "the addresses do not stay as they were made",
        path="ip.addresses",
        remedy=f"look for a program on the host that manages {want.interface}",
    )


def _repair(want: Wanted, carrier: Carrier, carried: Carried, reader: Reader) -> None:
    """Do what there is to do, each step after what the next one needs."""
    changes = carrier.compare(want.addresses, carried, reader)
    recorded, ours = shared_addresses.read_record(want.jail), dict.fromkeys(changes.ours, want.interface)
    if changes.added or changes.taken:
        link = carrier.link(reader)
        recorded = {**recorded, **ours}
        shared_addresses.write_record(want.jail, recorded)
        with links.Connection() as connection:
            carrier.add(changes, connection, link)
    group = status.group(want.jail)
    if group.exists() and not cgroup_bpf.is_held(group.unified, identity(want.held)):
        # Before, since no packet would tell the other end afterwards; and after, for what has come in between.
        _end_connections(group, want.held)
        _hold(group, want.held)
        _end_connections(group, want.held)
    if changes.removed:
        with links.Connection() as connection:
            shared_addresses.remove(changes.removed, connection, reader)
    if ours != recorded:
        shared_addresses.write_record(want.jail, ours)


def _end_connections(group: Cgroup, held: Held) -> None:
    """End what is open from other addresses, where the kernel can: elsewhere it hears nothing more, and times out."""
    with contextlib.suppress(KernelError):
        socket_ends.end_others(socket_ends.groups_below(group.unified), (*held.ipv4, *held.ipv6))


def _hold(group: Cgroup, held: Held) -> None:
    cgroup_bpf.hold(group.unified, identity(held), lambda: programs(held))


def remove(jail: str, index: int | None) -> bool:
    """Take the addresses that we have added from the host; whether there were any.

    Without ``index`` the record alone says which they are. The programs go with the control group.
    """
    with Reader() as reader:
        marked = shared_addresses.marked(jail, index, reader)
        if marked:
            with links.Connection() as connection:
                shared_addresses.remove(marked, connection, reader)
    shared_addresses.write_record(jail, {})
    return bool(marked)
