# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Addresses of jails on links of the host: which are there, which we have added, and the requests in between.

An address that is there already is used as it is. One that we add is marked with the number of its jail, and nothing
without that mark is ever removed. A record in /run/jails/NAME says what may bear the mark, so that nobody has to look
for it: it is written before the first address is added, and again after the last one is gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_interface
from typing import NamedTuple

from .._kernel import announcements, files, links
from .._kernel.errors import KernelError
from .._kernel.rtnetlink import ADDRESS_METRIC, RTN_LOCAL, Address, Link, Reader
from .._model.allocation import LAST_INDEX
from . import places
from .errors import EngineError


def ip_of(address: str) -> str:
    """Without the prefix."""
    return address.partition("/")[0]


def read_record(jail: str) -> dict[str, str]:
    """What we may have added for a jail: each address with its prefix, and the link that carries it.

    A damaged record says nothing: what bears the jail's mark is found by that.
    """
    try:
        record = files.read_json(places.addresses(jail)) or {}
    except files.DamagedFile:
        return {}
    whole = isinstance(record, dict) and all(isinstance(link, str) for link in record.values())
    return record if whole and all(map(_is_address, record)) else {}


def _is_address(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ip_interface(text))
    return False


def write_record(jail: str, record: Mapping[str, str]) -> None:
    """Nothing is recorded in no file."""
    if record:
        files.write_record(places.addresses(jail), dict(record))
    else:
        files.remove_file(places.addresses(jail))


class Carried(NamedTuple):
    """Addresses of a jail on the host: those that are there, and whether each that is ours is where it should be.

    ``recorded``: some were there by us, be they there or not.
    """

    addresses: tuple[str, ...]
    in_place: bool
    recorded: bool


def look(jail: str, wanted: Iterable[str], interface: str, reader: Reader) -> Carried:
    """See which addresses the host has, in the order of the document; then what we have added and nobody wants.

    One question an address to the routing table, however many addresses the host has.
    """
    record = read_record(jail)
    link = reader.link(name=interface) if interface else None
    found: list[str] = []
    in_place = True
    for address in wanted:
        route = reader.route_to(ip_of(address))
        if route is None or route.type != RTN_LOCAL:
            continue
        found.append(address)
        if address in record:
            in_place = in_place and (not interface or (link is not None and route.link == link.ifindex))
        elif interface:
            # Most likely the host's own; or ours, and the record was lost.
            in_place = in_place and not is_ours(address, reader)
    leftovers = sorted(set(record) - set(wanted))
    return Carried((*found, *leftovers), in_place, os.path.lexists(places.addresses(jail)))


class Changes(NamedTuple):
    """What leads from what is there to what is wanted.

    ``kept`` are ours and in place, ``taken`` are in place with the mark of another jail, which is about to lose them.
    """

    kept: list[str]
    taken: list[str]
    added: list[str]
    removed: list[Address]

    @property
    def ours(self) -> list[str]:
        """What bears our mark in the end."""
        return [*self.kept, *self.taken, *self.added]


class Carrier:
    """The addresses of one jail, to be put on a link of the host."""

    def __init__(self, jail: str, index: int, interface: str) -> None:
        self.jail = jail
        self.mark = ADDRESS_METRIC + index
        self.interface = interface

    def compare(self, wanted: Sequence[str], carried: Carried, reader: Reader) -> Changes:
        """Look at all addresses of the host for those that are wanted and those that bear our mark.

        Where none is there and none ever was, as with most new jails, that needs no look.
        """
        changes = Changes([], [], [], [])
        if not carried.addresses and not carried.recorded:
            changes.added.extend(wanted)
            return changes
        found = reader.addresses_like([ip_of(address) for address in wanted], metric=self.mark)
        link = reader.link(name=self.interface) if self.interface else None
        for address in wanted:
            here = [one for one in found if one.ip == ip_of(address)]
            in_place = [one for one in here if link and one.link == link.ifindex]
            if any(not _is_marked(one) for one in here):
                continue
            if any(one.metric == self.mark for one in in_place):
                changes.kept.append(address)
            else:
                (changes.taken if in_place else changes.added).append(address)
        changes.removed.extend(
            one
            for one in found
            if one.metric == self.mark and not (link and one.link == link.ifindex and one.address in changes.kept)
        )
        return changes

    def add(self, changes: Changes, connection: links.Connection, link: Link) -> None:
        """Add what is missing, and tell the neighbours."""
        for address in (*changes.taken, *changes.added):
            try:
                connection.carry_address(link, address, metric=self.mark, replace=address in changes.taken)
            except KernelError as error:
                if error.errno == errno.EEXIST:
                    continue  # Somebody has just added it: it is used as it is.
                raise self._refusal(address, error) from error
            announcements.announce(link, ip_of(address))

    def link(self, reader: Reader) -> Link:
        """The link of the host that carries the addresses; EngineError where there is none."""
        link = reader.link(name=self.interface) if self.interface else None
        if link is None:
            raise EngineError(
                self.jail,
                f"this host has no link {self.interface}",
                path="ip.interface",
                remedy="name one of its links (ip link), or make this one first",
            )
        return link

    def _refusal(self, address: str, error: KernelError) -> EngineError:
        if error.errno in (errno.EACCES, errno.EPERM) and ":" in address:
            message = f"IPv6 is switched off on {self.interface}"
            remedy = f"sysctl net.ipv6.conf.{self.interface}.disable_ipv6=0, or leave the IPv6 addresses out"
            return EngineError(self.jail, message, path="ip.interface", remedy=remedy)
        return EngineError(self.jail, str(error), path="ip.addresses")


def is_ours(address: str, reader: Reader) -> bool:
    """Whether the host has an address by us alone, for whichever jail."""
    return all(map(_is_marked, reader.addresses_like([ip_of(address)])))


def marked(jail: str, index: int | None, reader: Reader) -> list[Address]:
    """All that bears a jail's mark; where nobody knows its number, what bears any, of what is recorded for it."""
    if index is not None:
        return reader.addresses_like((), metric=ADDRESS_METRIC + index)
    recorded = [ip_of(address) for address in read_record(jail)]
    return [one for one in reader.addresses_like(recorded) if _is_marked(one)]


def remove(addresses: Iterable[Address], connection: links.Connection, reader: Reader) -> None:
    """Remove addresses that bear our mark."""
    for one in addresses:
        link = reader.link(index=one.link)
        if link is not None:
            connection.remove_address(link, one.address)


def _is_marked(address: Address) -> bool:
    """Whether it is ours, for whichever jail."""
    return ADDRESS_METRIC <= address.metric <= ADDRESS_METRIC + LAST_INDEX
