# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from heapq import heappop, heappush


@dataclass(frozen=True)
class Jail:
    """What is to be placed; jails of one ``group`` are spread over failure domains together."""

    name: str
    group: str = ""
    size: int = 1


@dataclass(frozen=True)
class Host:
    """Where it can go; ``capacity`` is the sum of sizes that it takes, None for any."""

    name: str
    weight: float = 1.0
    domain: str = ""
    capacity: int | None = None


class DoesNotFit(ValueError):
    """No host has room for these jails."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(*names)
        self.names = names


# The host of each jail, or its domain.
Assignment = dict[str, str]
Rooms = dict[str, "int | None"]


def place(jails: Sequence[Jail], hosts: Sequence[Host]) -> Assignment:
    """Give each jail a host: evenly by the hosts' weights, and so that a change of the hosts moves few jails.

    Each jail ranks the hosts by a hash of both names and goes to the first one (rendezvous hashing, Thaler and
    Ravishankar 1998): a host that comes takes its share from all others, the jails of one that goes are scattered over
    all others, and no jail moves between two hosts that stay. A host that is full keeps the jails that rank it highest.

    If hosts have failure domains, the jails of each group are dealt out to those first, so that no domain has two more
    of them than another, and the hash decides within. Only capacities can prevent that. Raises DoesNotFit.
    """
    rooms = {host.name: host.capacity for host in hosts}
    domains = _domains(hosts)
    placed: Assignment = {}
    left = list(jails)
    while left and domains:
        for domain, members in _deal(left, domains).items():
            inside = _match(members, domains[domain], rooms)
            placed.update(inside)
            if len(inside) < len(members):
                del domains[domain]
        left = [jail for jail in left if jail.name not in placed]
    placed.update(_match(left, hosts, rooms))  # What is too large for its domain may fit into another.
    if len(placed) < len(jails):
        raise DoesNotFit([jail.name for jail in jails if jail.name not in placed])
    return placed


def _domains(hosts: Sequence[Host]) -> dict[str, list[Host]]:
    """Hosts by failure domain: all of them in one, if none has any; else one without is a domain by itself."""
    spread = any(host.domain for host in hosts)
    domains: dict[str, list[Host]] = {}
    for host in hosts:
        domains.setdefault((host.domain or f"host {host.name}") if spread else "", []).append(host)
    return domains


def _deal(jails: Sequence[Jail], domains: Mapping[str, Sequence[Host]]) -> dict[str, list[Jail]]:
    """Deal the jails of each group out to the domains, as many to each, and what is left over to some of them."""
    # All of one weight: a host that comes or goes must not change what its domain gets.
    targets = [Host(name) for name in domains]
    groups: dict[str, list[Jail]] = {}
    for jail in jails:
        groups.setdefault(jail.group, []).append(jail)
    dealt: dict[str, list[Jail]] = {name: [] for name in domains}
    for group, members in groups.items():
        each, over = divmod(len(members), len(domains))
        ranked = sorted(targets, key=lambda domain: _score(group, domain), reverse=True)
        quotas: Rooms = {domain.name: each + (index < over) for index, domain in enumerate(ranked)}
        counted = [Jail(jail.name) for jail in members]
        chosen = _match(counted, targets, quotas)
        for jail in members:
            dealt[chosen[jail.name]].append(jail)
    return dealt


def _match(jails: Sequence[Jail], hosts: Sequence[Host], rooms: Rooms) -> Assignment:
    """The stable matching of jails and hosts that rank each other by the same scores (Gale and Shapley 1962).

    Takes what it assigns out of ``rooms``. Jails that no host has room for are left out.
    """
    held: dict[str, list[tuple[float, str]]] = {host.name: [] for host in hosts}
    sizes = {jail.name: jail.size for jail in jails}
    choices = {jail.name: sorted((_score(jail.name, host), host.name) for host in hosts) for jail in jails}
    waiting = sorted(choices)
    while waiting:
        name = waiting.pop()
        if not choices[name]:
            continue
        score, host = choices[name].pop()
        heappush(held[host], (score, name))
        room = rooms[host]
        if room is None:
            continue
        room -= sizes[name]
        while room < 0:
            _lowest, evicted = heappop(held[host])
            room += sizes[evicted]
            waiting.append(evicted)
        rooms[host] = room
    return {name: host for host, entries in held.items() for _score_of, name in entries}


def _score(name: str, host: Host) -> float:
    """High for a host that the jail prefers, in proportion to its weight (Schindelhauer and Schomaker 2005)."""
    digest = blake2b(f"{name}\0{host.name}".encode(), digest_size=8).digest()
    uniform = (int.from_bytes(digest, "big") + 0.5) / (1 << 64)
    return host.weight / -math.log(uniform)
