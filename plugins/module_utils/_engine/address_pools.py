# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Addresses that jails leave to their host (``addresses: [auto]``), from the pools in the host's configuration.

A jail keeps what its document has, so its document is the record of what it was given, and an address is free again
with the document that named it. Between the choice and the moment when the document is stored an address is reserved
for the process that chose: what a process reserved that does not live any more is void.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from itertools import islice
from typing import Any, NamedTuple, Union

from .._kernel import address_probe, files, processes
from .._kernel.errors import KernelError
from .._kernel.rtnetlink import Reader
from .._model.addresses import AUTOMATIC, families_of, leaves_choice
from .._model.document import merge
from .._model.errors import DocumentError
from .._model.place import Place
from .._model.pools import Pool, Request, answer, request_of
from .._model.wanted import Wanted
from . import host_configuration, places, store
from .errors import EngineError

_LOCK_SECONDS = 60.0
_ANSWER_SECONDS = 0.2
_TOGETHER = 64
# RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST, RTN_MULTICAST: the host's own.
_OF_THE_HOST = (2, 3, 4, 5)


Refused = Union[DocumentError, EngineError]


class _Reservation(NamedTuple):
    address: str
    jail: str
    pid: int
    started: int


class Choice:
    """The addresses that one task chooses. What it has reserved is free again at the end of ``choosing()``."""

    def __init__(self, *, reserve: bool) -> None:
        self._reserve = reserve
        self._pools = [Pool(entry) for entry in host_configuration.read_pools()]
        self._reserved: list[_Reservation] = []

    def for_wanted(self, wanted: Wanted) -> Wanted:
        """The same with addresses. DocumentError or EngineError where there are none."""
        stored = _stored(wanted.jail)
        ip = merge(stored, wanted.given).get("ip", {})
        request = request_of(wanted.jail, Place(wanted.jail), ip, stored.get("ip", {}), self._pools)
        if request is None:
            return wanted
        ((_unused, addresses),) = self._answered([request], _raise)
        given = {**wanted.given, "ip": {**wanted.given["ip"], "addresses": addresses}}
        return replace(wanted, given=given)

    def for_documents(
        self, documents: Iterable[tuple[Place, Mapping[str, Any]]], refuse: Callable[[Refused], None]
    ) -> dict[str, list[str]]:
        """The addresses of those of a task's jails that leave the choice to the host; ``refuse`` hears why not.

        ``documents`` are canonical, and all of the task's: what one of them names no other gets.
        """
        requests, named = [], []
        for place, document in documents:
            if not leaves_choice(document):
                named += document.get("ip", {}).get("addresses", ())
                continue
            stored = _stored(document["name"]).get("ip", {})
            requests.append(request_of(document["name"], place, document["ip"], stored, self._pools))
        return dict(self._answered([request for request in requests if request], refuse, named))

    def _answered(
        self, requests: Sequence[Request], refuse: Callable[[Refused], None], named: Sequence[str] = ()
    ) -> Iterator[tuple[str, list[str]]]:
        with contextlib.ExitStack() as stack:
            supply = _Supply(requests, named, stack, reserve=self._reserve)
            for request in requests:
                try:
                    yield request.jail, answer(request, supply.chooser(request))
                except (DocumentError, EngineError) as error:
                    refuse(error)
            self._reserved += supply.record()

    def forget(self) -> None:
        """Give back what is reserved: it is in documents by now, or is not wanted any more."""
        if self._reserved:
            with _locked():
                _write([one for one in _read_living() if one not in self._reserved])


@contextlib.contextmanager
def choosing(*, reserve: bool) -> Iterator[Choice]:
    """Choose addresses and, with ``reserve``, have nobody else choose them until the block ends."""
    choice = Choice(reserve=reserve)
    try:
        yield choice
    finally:
        choice.forget()


def _raise(error: Refused) -> None:
    raise error


class _Supply:
    """Free addresses of this host, each once. Nothing is looked at before somebody asks for one."""

    def __init__(
        self, requests: Sequence[Request], named: Sequence[str], stack: contextlib.ExitStack, *, reserve: bool
    ) -> None:
        self._requests = requests
        self._named = named
        self._stack = stack
        self._reserve = reserve
        self._me = os.getpid(), processes.start_time(os.getpid()) or 0
        self._reader: Reader | None = None
        self._taken: set[tuple[int, int]] = set()
        self._others: list[_Reservation] = []
        self._own: list[_Reservation] = []
        self._free: dict[tuple[int, str, bool], Iterator[tuple[Pool, int]]] = {}

    def chooser(self, request: Request) -> Callable[[int, Place], str]:
        """What finds a free address of a family for one jail."""
        return lambda family, place: self._choose(request, family, place)

    def _choose(self, request: Request, family: int, place: Place) -> str:
        reader = self._reader or self._open()
        earlier = [one for one in self._others if one.jail == request.jail and families_of(one.address) == (family,)]
        if earlier:  # Another task is about the same jail, and has chosen already.
            return earlier[0].address
        key = (family, request.link, request.on_wire)
        if key not in self._free:
            pools = [pool for pool in request.pools if pool.span.version == family]
            self._free[key] = self._unused(pools, request, reader)
        for pool, number in self._free[key]:
            address = pool.address(number, on_wire=request.on_wire)
            # The same addresses may be in pools of several links.
            if (family, number) not in self._taken and address.partition("/")[0] not in request.gateways:
                self._taken.add((family, number))
                self._own.append(_Reservation(address, request.jail, *self._me))
                return address
        names = ", ".join(pool.name for pool in request.pools if pool.span.version == family)
        raise place.error(
            f"no IPv{family} address is free any more in this host's pools: {names}",
            "remove jails that are not needed, or give the host another pool",
        )

    def _open(self) -> Reader:
        """Reservations first: who has stored a document since then is in the documents."""
        if self._reserve:
            store.prepare_directories()
            self._stack.enter_context(_locked())
        self._others = _read_living()
        self._reader = self._stack.enter_context(Reader())
        documents = (_stored(name) for name in store.names())
        sections = [document.get("ip", {}) for document in documents]
        self._take(address for ip in sections for address in ip.get("addresses") or ())
        self._take(address for request in self._requests for address in (*request.addresses, *request.kept))
        self._take((*self._named, *(one.address for one in self._others)))
        self._take(route.via for route in self._reader.routes(0))
        return self._reader

    def _take(self, addresses: Iterable[Any]) -> None:
        for address in addresses:
            if isinstance(address, str) and address not in AUTOMATIC:
                with contextlib.suppress(ValueError):
                    ip = ip_address(address.partition("/")[0])
                    self._taken.add((ip.version, int(ip)))

    def _unused(self, pools: Iterable[Pool], request: Request, reader: Reader) -> Iterator[tuple[Pool, int]]:
        """What nothing on this host and nobody on the wire has, whatever the documents say."""
        for pool in pools:
            free = (number for number in pool.free(self._taken) if not _is_used(pool, number, reader))
            while batch := list(islice(free, _TOGETHER if pool.link else 1)):
                answered = _answering(pool, batch, reader)
                yield from ((pool, number) for number in batch if number not in answered)

    def record(self) -> list[_Reservation]:
        """Reserve what was chosen."""
        if self._reserve and self._own:
            _write([*self._others, *self._own])
            return self._own
        return []


def _is_used(pool: Pool, number: int, reader: Reader) -> bool:
    address = pool.address(number, on_wire=False)
    route = reader.route_to(address.partition("/")[0])
    return route is not None and (route.type in _OF_THE_HOST or route.to == address)


def _answering(pool: Pool, numbers: Sequence[int], reader: Reader) -> set[int]:
    """The addresses that a station on the pool's link has already."""
    link = reader.link(name=pool.link) if pool.link else None
    if link is None or not link.up or not link.mac:
        return set()
    texts = {pool.address(number, on_wire=False).partition("/")[0]: number for number in numbers}
    with contextlib.suppress(KernelError):  # A link that carries neither ARP nor IPv6.
        return {texts[ip] for ip in address_probe.answering(link, texts, seconds=_ANSWER_SECONDS)}
    return set()


def _stored(jail: str) -> dict[str, Any]:
    """The document of a jail as it is on the disk, of whatever form."""
    with contextlib.suppress(KernelError):
        document = files.read_json(places.document(jail))
        if isinstance(document, dict) and isinstance(document.get("ip", {}), dict):
            return document
    return {}


def _locked() -> files.Lock:
    return files.Lock(f"{places.RUNTIME}/.addresses.lock", timeout=_LOCK_SECONDS)


def _read_living() -> list[_Reservation]:
    with contextlib.suppress(KernelError, TypeError, ValueError):
        found = [_Reservation(*entry) for entry in files.read_json(places.RESERVATIONS) or ()]
        return [one for one in found if processes.is_alive(one.pid, one.started)]
    return []


def _write(reservations: Sequence[_Reservation]) -> None:
    if reservations:
        files.write_record(places.RESERVATIONS, [list(one) for one in reservations])
    else:
        files.remove_file(places.RESERVATIONS)
