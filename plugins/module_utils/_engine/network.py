# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The network of a jail: made at its definition, repaired by every later run, removed with it.

A namespace pinned at /run/jails/NAME/ns/net holds the jail's end, so that a restart of the jail touches no network
object. ``ensure`` is the one way to make and to change: it compares what is there with the document and sends only the
requests in between, so whatever an interrupted run left is completed by the next one. Callers hold the jail's lock,
and give documents with all defaults filled in.

Most runs change nothing: what only a change needs is imported where it is made.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._kernel import files, namespaces, sysctls
from .._kernel.namespace_owner import own
from .._kernel.rtnetlink import ROUTE_PROTOCOL, Link, Reader, TokenBucket, Traffic
from .._model.allocation import Allocation
from .._model.live import NetworkLive
from . import network_state, places
from .errors import EngineError
from .network_state import End, Facts, Wanted

if TYPE_CHECKING:
    from .network_changes import Changes

# Each round does one thing and looks again: away with a namespace of another owner, away with leftovers, make the
# objects, set them up, and put back what that undid (a link that goes down loses routes).
_ROUNDS = 8


def observe(jail: str, document: Mapping[str, Any] | None = None, *, links: Reader | None = None) -> NetworkLive | None:
    """The network that a jail has now, None where it has none (also in mode host). Costs about 1 ms.

    What it has of two modes at once, because a change was cut short, is not ``up``. Otherwise see observe_own().
    """
    shared = document if document and document["ip"]["mode"] == "shared" else None
    own = None
    if not shared or namespaces.is_pinned(places.namespace(jail, "net")):
        own = observe_own(jail, None if shared else document, links=links)
    if not shared and not _has_addresses_on_host(jail):
        return own
    if own is not None:
        return replace(own, up=False)
    from . import shared_network

    return shared_network.observe(shared, links) if shared else shared_network.observe_remains(jail)


def _has_addresses_on_host(jail: str) -> bool:
    """Whether there may be addresses that mode shared has added, whatever the mode is now."""
    return os.path.exists(places.addresses(jail))


def observe_own(
    jail: str, document: Mapping[str, Any] | None = None, *, links: Reader | None = None
) -> NetworkLive | None:
    """The network that a jail has of its own, None where it has none.

    An address counts only where both ends know it. With the effective ``document`` that is meant to be in force,
    ``up`` says that nothing at all is missing; without it, that what is there is complete in itself. ``links`` is that
    of network_state.read().
    """
    facts = network_state.read(jail, links=links)
    if not facts.owner and facts.host is None:
        return None
    mode, own_user_namespace = network_state.mode_of(facts), facts.owner not in (0, own())
    is_macvlan = facts.host is None and facts.wire is not None
    if facts.jail is None or (facts.host is None and not is_macvlan):
        bare = Wanted(jail=jail, link="", mode="none", owns_its_stack=False)
        whole = mode == "none" and facts.host is facts.jail and not network_state.pending(bare, facts)
        return NetworkLive(mode=mode, up=whole, own_user_namespace=own_user_namespace)
    if document is None:
        want = _implied(jail, facts, facts.jail)
    else:
        want = network_state.wanted(document, _index_of(facts.host.link) if facts.host else _claimed_index(jail))
    return NetworkLive(
        mode=mode,
        addresses=_live_addresses(want, facts.host, facts.jail),
        mtu=facts.jail.link.mtu,
        up=want.mode == mode and not _is_leftover(want, facts) and not network_state.pending(want, facts),
        own_user_namespace=own_user_namespace,
    )


def traffic(jail: str, index: int, *, links: Reader | None = None) -> Traffic | None:
    """What a jail has received and sent through a wire to its host, None where it has none; counted on the host.

    ``index`` is that of the jail's allocation, ``links`` that of network_state.read().
    """
    with contextlib.nullcontext(links) if links else Reader() as reader:
        link = reader.link(name=Allocation(jail, index).interface)
        if link is None or network_state.marked_jail(link.alias) != jail:
            return None
        seen = reader.traffic(link)
    # What the host's end has received, the jail has sent.
    return seen and Traffic(seen.sent_packets, seen.received_packets, seen.sent_bytes, seen.received_bytes)


def _index_of(link: Link) -> int:
    """Number in the name of a host end, 0 where somebody has given it another name."""
    digits = link.name[2:]
    return int(digits) if digits.isdigit() else 0


def _claimed_index(jail: str) -> int:
    """Number of a jail that has no link on the host to tell it."""
    from . import allocations

    allocation = allocations.find(jail)
    return allocation.number if allocation else 0


def _implied(jail: str, facts: Facts, inside: End) -> Wanted:
    """What the document must have been, judged by what is there."""
    host, wire = facts.host, facts.wire.name if facts.wire else ""
    addresses = tuple(sorted(inside.addresses))
    routes = {route.to: route.via for route in inside.routes if route.protocol == ROUTE_PROTOCOL}
    return Wanted(
        jail=jail,
        link=host.link.name if host else "",
        mode="vnet",
        owns_its_stack=False,
        addresses=addresses,
        routes=routes if wire else {**network_state.default_routes(addresses), **routes},
        mtu=inside.link.mtu,
        mac=inside.link.mac,
        ingress=_bits(host.bucket if host else None),
        egress=_bits(facts.shaper.bucket if facts.shaper else None),
        bridge=wire if host else "",
        parent="" if host else wire,
    )


def _bits(bucket: TokenBucket | None) -> int:
    return bucket.rate * 8 if bucket else 0


def _live_addresses(want: Wanted, host: End | None, inside: End) -> tuple[str, ...]:
    """In the order of the document; an address that nobody asked for comes last."""
    routed = {route.to for route in host.routes} if host and want.routed else inside.addresses
    known = [address for address in want.addresses if address in inside.addresses and address in routed]
    return tuple(known + sorted(inside.addresses - set(want.addresses)))


def create(document: Mapping[str, Any], index: int, *, taken: Mapping[str, str] | None = None) -> None:
    """Make the network of a jail that is being defined; see ensure()."""
    ensure(document, index, taken=taken)


def change(before: Mapping[str, Any], after: Mapping[str, Any], index: int) -> bool:
    """Change the network of a jail that may be running; whether anything changed.

    Addresses, routes, mtu, mac, and vnet to none and back are live. EngineError for what needs a new namespace, which
    no running process can be moved to.
    """
    old, new = network_state.wanted(before, index), network_state.wanted(after, index)
    if old.mode != new.mode and {old.mode, new.mode} & {"host", "shared"}:
        message = f"{old.mode} cannot become {new.mode} while the jail runs"
        raise EngineError(new.jail, message, path="ip.mode", remedy="restart the jail")
    if new.mode != "host" and old.owns_its_stack != new.owns_its_stack:
        message = "the network stack cannot change its owner while the jail runs"
        raise EngineError(new.jail, message, path="caps.profile", remedy="restart the jail")
    return ensure(after, index)


def preflight(
    document: Mapping[str, Any], *, taken: Mapping[str, str] | None = None, links: Reader | None = None
) -> None:
    """EngineError for a network that ensure() would refuse; changes nothing, so it comes before the first change.

    Refused are an address that is in use on this host, IPv6 where the kernel has none, and a bandwidth without
    pyroute2. ``taken`` maps the addresses of the other jails' documents to their names; a caller with many jails asks
    network_conflicts.taken_addresses() once for all, and gives ``links`` as in network_state.read().
    """
    if document["ip"]["mode"] == "shared":
        from . import shared_conflicts, shared_network

        shared_conflicts.refuse(shared_network.wanted(document), taken)
        return
    want = network_state.wanted(document, 0)
    if want.mode == "host":
        return
    facts = network_state.read(want.jail, links=links)
    _refuse_conflicts(want, facts, taken)
    if want.ipv6 and sysctls.read("net/ipv6/conf/all/disable_ipv6") is None:
        number = next(number for number, address in enumerate(want.addresses) if ":" in address)
        raise EngineError(
            want.jail,
            "this kernel runs without IPv6",
            path=f"ip.addresses[{number}]",
            remedy="leave the IPv6 addresses out, or boot the host without ipv6.disable=1",
        )
    if not _is_whole(want, facts):
        from .network_changes import refuse_missing_wire, require_library

        refuse_missing_wire(want)
        require_library(want)


def ensure(document: Mapping[str, Any], index: int, *, taken: Mapping[str, str] | None = None) -> bool:
    """Make the network what the document says, from whatever is there; whether anything changed.

    EngineError for an address that is in use on this host, for a link of somebody else under the name that we need, and
    for a bandwidth where pyroute2 is missing. ``taken`` is that of preflight().
    """
    if document["ip"]["mode"] == "shared":
        from . import shared_network

        left = _remove_own(document["name"], index)
        return shared_network.ensure(document, index) or left
    want = network_state.wanted(document, index)
    if want.mode == "host":
        return remove(want.jail, index)
    _remove_from_host(want.jail, index)
    facts = network_state.read(want.jail, link_name=want.link)
    if _is_whole(want, facts):
        return False
    _refuse_conflicts(want, facts, taken)
    from .network_changes import Changes

    with Changes(want) as changes:
        for _unused in range(_ROUNDS):
            _repair(want, facts, changes)
            facts = network_state.read(want.jail, link_name=want.link)
            if _is_whole(want, facts):
                return True
    raise EngineError(
        want.jail,
        "the network does not stay as it was made",
        path="ip",
        remedy=f"look for a program on the host that manages {want.link}",
    )


def _is_whole(want: Wanted, facts: Facts) -> bool:
    """Whether nothing at all is to be done."""
    if not facts.owner or facts.owner != _owner(want) or _is_leftover(want, facts):
        return False
    return _has_link(want, facts) and not network_state.pending(want, facts)


def _has_link(want: Wanted, facts: Facts) -> bool:
    """Whether the link is there that the jail's mode asks for."""
    return want.mode != "vnet" or (facts.jail if want.parent else facts.host) is not None


def _repair(want: Wanted, facts: Facts, changes: Changes) -> None:
    """One round towards what is wanted."""
    if facts.owner and facts.owner != _owner(want):
        _remove_own(want.jail)
    elif _is_leftover(want, facts):
        changes.delete(facts)
    elif not facts.owner or not _has_link(want, facts):
        if not facts.owner:
            changes.create_namespace()
        if want.mode == "vnet":
            changes.create_link()
    else:
        changes.send(network_state.pending(want, facts))


def _refuse_conflicts(want: Wanted, facts: Facts, taken: Mapping[str, str] | None) -> None:
    ours = {route.to for route in facts.host.routes} if facts.host else set()
    if not want.routed:
        ours = set(facts.jail.addresses) if facts.jail else set()
    if not ours.issuperset(want.addresses):
        from .network_conflicts import refuse_answered, refuse_conflicts

        refuse_conflicts(want, ours, taken)
        if not want.routed:
            refuse_answered(want, ours)


def _owner(want: Wanted) -> int:
    """Identity of the user namespace that has to own the jail's network namespace; 0 where it is gone."""
    if not want.owns_its_stack:
        return own()
    path = places.namespace(want.jail, "user")
    if not namespaces.is_pinned(path):
        return 0
    with files.closing(namespaces.open_pin(path)) as fd:
        return namespaces.identity(fd)


def _is_leftover(want: Wanted, facts: Facts) -> bool:
    """Whether there are ends that cannot be repaired: half a pair, one under an outdated name, one too many."""
    if want.parent:
        parent = facts.wire.name if facts.wire else ""
        return facts.host is not None or (facts.jail is not None and parent != want.parent)
    if facts.host is None or facts.jail is None:
        return facts.host is not facts.jail
    return want.mode != "vnet" or not facts.paired or facts.host.link.name != want.link


def remove(jail: str, index: int | None = None, *, shares: bool = False) -> bool:
    """Remove every network object of a jail; whether there was any. What does not carry our mark stays.

    Without ``index`` it also finds a host end under another name than the jail's own, by a look at all links.
    ``shares``: its document says mode shared.
    """
    own = _remove_own(jail, index)
    return _remove_from_host(jail, index, shares=shares) or own


def _remove_from_host(jail: str, index: int | None, *, shares: bool = False) -> bool:
    """With ``shares`` also what no record speaks of: somebody may have cleared /run."""
    if not shares and not _has_addresses_on_host(jail):
        return False
    from . import shared_network

    return shared_network.remove(jail, index)


def _remove_own(jail: str, index: int | None = None) -> bool:
    link_name = "" if index is None else Allocation(jail, index).interface
    path = places.namespace(jail, "net")
    facts = network_state.read(jail, link_name=link_name)
    if facts.host is None and not os.path.exists(path):
        return False
    from .network_changes import Changes

    with Changes(Wanted(jail=jail, link=link_name, mode="none", owns_its_stack=False)) as changes:
        while facts.host is not None:
            changes.delete(facts)
            facts = network_state.read(jail, link_name=link_name)
        if link_name:
            changes.delete_lost_shaper()
    namespaces.unpin(path)
    return True
