# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .addresses import AUTOMATIC, single
from .dependencies import Documents
from .errors import DocumentError
from .fleet_dependencies import cycles, missing
from .fleet_member import Member
from .forwards import Forward, forwards
from .place import Place


def conflicts(members: Sequence[Member], others: Documents) -> list[DocumentError]:
    """What the jails of a host keep those of a task from, all of it: what is taken, and whom they depend on in vain.

    ``others`` are the documents on the host of jails that the task does not name and that stay; what is wrong between
    those is no error of this task.
    """
    return [*duplicates(members, others), *missing(members, others), *cycles(members, others)]


def duplicates(members: Sequence[Member], others: Documents) -> list[DocumentError]:
    """Names, addresses, MACs and ports that a member shares with one before it or with one of the others."""
    claims = _Claims()
    for name, document in others.items():
        claims.grant(document, f"jail {name} of this host")
    names: dict[str, str] = {}
    errors: list[DocumentError] = []
    for member in members:
        first = names.setdefault(member.name, member.place)
        if first != member.place:
            errors.append(member.at().at("name").error(f"{member.name} is the name of {first} already", "name it once"))
        elif member.stays:
            errors += claims.refuse(member)
            claims.grant(member.document, f"{member.place} (jail {member.name})")
    return errors


def across(
    hosts: Mapping[str, Sequence[Member]], taken: dict[str, tuple[str, str]] | None = None
) -> dict[str, list[DocumentError]]:
    """Addresses that jails of several hosts share, by the host whose jail comes second.

    Only what is routed must be unique there: two hosts may each have a jail of the same name. ``taken`` says which host
    and which of its jails has an address, and gets those of ``hosts``.
    """
    taken = {} if taken is None else taken
    errors: dict[str, list[DocumentError]] = {}
    for host, members in hosts.items():
        for address, place in _routed(members):
            other, owner = taken.setdefault(address, (host, f"{place.path} (jail {place.jail})"))
            if other != host:
                errors.setdefault(host, []).append(_taken(address, f"{owner} of host {other}", place))
    return errors


class _Claims:
    """What jails of one host have that no other jail there can have as well, and whose it is."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        # By family, protocol and port, as hosts have many ports and a few addresses that share each of them.
        self._forwards: dict[tuple[int, str, int], list[tuple[Forward, str]]] = {}

    def grant(self, document: Mapping[str, Any], owner: str) -> None:
        for what, _place in _possessions(document, Place("")):
            self._owners.setdefault(what, owner)
        for forward in forwards(document):
            for port in range(forward.first, forward.last + 1):
                self._forwards.setdefault((forward.family, forward.protocol, port), []).append((forward, owner))

    def refuse(self, member: Member) -> Iterator[DocumentError]:
        for what, place in _possessions(member.document, member.at()):
            if what in self._owners:
                yield _taken(what, self._owners[what], place)
        refused: set[int] = set()
        for forward in forwards(member.document):
            owner = self._owner_of(forward)
            if owner and forward.number not in refused:  # One entry can be a forward of both families.
                refused.add(forward.number)
                place = member.at().at("ip").at("forwards").item(forward.number).at("port")
                yield _taken(f"{forward.protocol} port {forward.first} of the host", owner, place)

    def _owner_of(self, forward: Forward) -> str:
        """Whose a port of a forward is already, empty if all of them are free."""
        for port in range(forward.first, forward.last + 1):
            for other, owner in self._forwards.get((forward.family, forward.protocol, port), ()):
                if other.overlaps(forward):
                    return owner
        return ""


def _possessions(document: Mapping[str, Any], place: Place) -> Iterator[tuple[str, Place]]:
    """Addresses and MAC, and where the document says them."""
    yield from _addresses(document, place)
    mac = document.get("ip", {}).get("mac")
    if mac:
        yield mac, place.at("ip").at("mac")


def _routed(members: Sequence[Member]) -> Iterator[tuple[str, Place]]:
    for member in members:
        if member.stays:
            yield from _addresses(member.document, member.at())


def _addresses(document: Mapping[str, Any], place: Place) -> Iterator[tuple[str, Place]]:
    ip = document.get("ip", {})
    if ip.get("mode") == "none":
        return
    where = place.at("ip").at("addresses")
    for index, address in enumerate(ip.get("addresses", ())):
        if address not in AUTOMATIC:
            yield single(address), where.item(index)


def _taken(what: str, owner: str, place: Place) -> DocumentError:
    return place.error(f"{what} is taken by {owner}", "give each jail one of its own")
