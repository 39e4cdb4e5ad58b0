# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Collection, Mapping

from .._kernel import address_probe
from .._kernel.rtnetlink import RTN_LOCAL, Reader, Route
from .._model.addresses import single
from . import store
from .errors import EngineError
from .network_state import Wanted, marked_jail

# A local network answers in a few milliseconds; a bridge that has just got a port may need some more.
_ANSWER_SECONDS = 0.2


def taken_addresses(jail: str) -> dict[str, str]:
    """Which jail each address belongs to in the documents of all other jails. One read a jail: ask once a call."""
    taken: dict[str, str] = {}
    for other, document in store.read_others(without=(jail,)):
        ip = document.get("ip") or {}
        if ip.get("mode") != "none":
            taken.update(dict.fromkeys(map(single, ip.get("addresses") or ()), other))
    return taken


def refuse_conflicts(want: Wanted, ours: Collection[str], taken: Mapping[str, str] | None) -> None:
    """EngineError for the first address that this host or another jail has already; ``ours`` are live in this one.

    An address that ``taken`` says is to be this very jail's is about to be given up by the jail that still has it.
    The question to the kernel is where it would route a packet for that address, which takes no longer with a
    thousand jails than with one.
    """
    new = [(number, single(address)) for number, address in enumerate(want.addresses) if address not in ours]
    known = taken_addresses(want.jail) if taken is None else taken
    with Reader() as reader:
        for number, address in new:
            if known.get(address, want.jail) != want.jail:
                raise conflict(want, number, f"it belongs to jail {known[address]}")
            route = reader.route_to(address.partition("/")[0])
            use = _use_of(reader, address, route, jail=want.jail, promised=address in known) if route else ""
            if use:
                raise conflict(want, number, use)


def refuse_answered(want: Wanted, ours: Collection[str]) -> None:
    """EngineError for the first new address that a station on the jail's wire (bridge or parent) answers for.

    Asked from the host, on its own link to that wire. A station that is off, or slow, is not found so.
    """
    new = {address.partition("/")[0]: number for number, address in enumerate(want.addresses) if address not in ours}
    with Reader() as reader:
        link = reader.link(name=want.bridge or want.parent)
    if not new or link is None or not link.up:
        return
    for address, mac in address_probe.answering(link, new, seconds=_ANSWER_SECONDS).items():
        if mac != want.mac:
            raise conflict(want, new[address], f"a station on {link.name} answers for it, {mac}")


def _use_of(reader: Reader, address: str, route: Route, *, jail: str, promised: bool) -> str:
    """What a single address is already used for, judged by the route to it; empty if for nothing.

    The jail itself may have it since we looked: another task has defined it in the meantime.
    """
    link = reader.link(index=route.link) if route.link else None
    name = link.name if link else "no link"
    if route.type == RTN_LOCAL:
        return "" if _is_given_up(reader, address, jail, promised) else f"it is an address of this host, on {name}"
    if route.to != address:
        return ""
    other = marked_jail(link.alias) if link else ""
    if other == jail or (other and promised):
        return ""
    return f"it belongs to jail {other}" if other else f"this host routes it through {name}"


def _is_given_up(reader: Reader, address: str, jail: str, promised: bool) -> bool:
    """Whether the host has an address only for a jail that shares its stack and is about to give it up."""
    from . import shared_addresses

    known = promised or address in shared_addresses.read_record(jail)
    return known and shared_addresses.is_ours(address, reader)


def conflict(want: Wanted, number: int, use: str) -> EngineError:
    """The refusal of the document's ``number``-th address."""
    return EngineError(
        want.jail,
        f"{want.addresses[number]} is taken: {use}",
        path=f"ip.addresses[{number}]",
        remedy="give the jail an address of its own",
    )
