# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What a jail has in the host's packet filter: forwards, masquerading and rules of its own.

All of it is in one table of ours, and each change is one transaction. Whoever flushes the host's rules takes ours
along; the next run about any jail that has some makes the whole table anew, from all documents.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .._kernel import files, nftables
from .._model.allocation import Allocation
from .._model.document import effective
from .._model.plan_firewall import has_rules
from .._model.stacks import in_force
from . import allocations, places, status, store
from .errors import DamagedRecord, EngineError
from .firewall_state import Table, contents_of, read
from .host_facts import NOTHING_KNOWN, HostFacts

if TYPE_CHECKING:
    from .firewall_contents import Contents


def preflight(document: Mapping[str, Any], facts: HostFacts = NOTHING_KNOWN) -> None:
    """EngineError for rules that ensure() could not make, and for ports of the host that are taken; changes nothing."""
    if has_rules(document, beside_others=False) and not nftables.is_available():
        option = next(name for name in ("forwards", "masquerade", "firewall") if document["ip"][name])
        raise EngineError(
            document["name"],
            "nft is not installed on this host",
            path=f"ip.{option}",
            remedy="install the package nftables; the role hosting.jails.host does it",
        )
    if document["ip"]["forwards"] or document["ip"]["masquerade"]:
        from . import firewall_conflicts

        firewall_conflicts.refuse(document, store.read_document(document["name"]), facts)


def ensure(document: Mapping[str, Any], allocation: Allocation) -> None:
    """Give a jail in the table what its effective document says, and make the table if it is not there."""
    ensure_all({allocation.jail: (document, allocation)})


def ensure_all(wanted: Mapping[str, tuple[Mapping[str, Any], Allocation]]) -> None:
    """The same for many jails in one transaction."""
    _change({jail: contents_of(document, allocation) for jail, (document, allocation) in wanted.items()})


def remove(jail: str) -> None:
    """Take everything of a jail out of the table."""
    remove_all([jail])


def remove_all(jails: Iterable[str]) -> None:
    """The same for many jails in one transaction."""
    from .firewall_contents import Contents

    _change({jail: Contents() for jail in jails})


@contextlib.contextmanager
def untouched(jail: str) -> Iterator[None]:
    """Nobody gives a jail anything in the table for the length of a block, in which it goes for good.

    Whoever had to make the table anew since its own was removed has given it that back, as it still had a document.
    """
    with _lock():
        if os.path.exists(places.rules(jail)):
            from .firewall_contents import Contents

            _carry_out({jail: Contents()})
        yield


def restore() -> None:
    """Make the table anew where somebody has deleted it that jails have something in.

    Which those are is asked under the lock: a jail that is being removed has given up its mark by then, and gets
    nothing back.
    """
    from .firewall_contents import Contents

    with _lock():
        names = store.names()
        others = [jail for jail in names if not os.path.exists(places.rules(jail))]
        if len(others) < len(names) and not Table().exists:
            _carry_out({jail: Contents() for jail in others})


def _lock() -> files.Lock:
    return files.Lock(f"{places.RUNTIME}/.firewall.lock", timeout=60.0)


def _change(wanted: Mapping[str, Contents]) -> None:
    with _lock():
        _carry_out(wanted)


def _carry_out(wanted: Mapping[str, Contents]) -> None:
    """One transaction for some jails, which clears what jails have left that are not there any more."""
    from . import firewall_changes
    from .firewall_contents import Contents
    from .firewall_table import TARGET

    installed = read()
    if installed is None or not installed.sound:
        whole = {**_of_all_jails(), **wanted}
        commands = firewall_changes.rebuilding(whole, exists=installed is not None)
    else:
        strangers = installed.jails() - set(store.names()) - set(wanted)
        whole = {**dict.fromkeys(strangers, Contents()), **wanted}
        commands = firewall_changes.changing(installed, whole)
    stays = firewall_changes.leaves_table(commands, exists=installed is not None)
    having = {jail for jail, contents in whole.items() if contents and stays}
    # The mark comes first and goes last: who finds it looks.
    _mark(having)
    if commands:
        nftables.apply(commands, target=TARGET)
    losing = set(whole) if stays or installed is None else set(whole) | installed.jails()
    _unmark(losing - having)


def _mark(jails: Iterable[str]) -> None:
    for jail in jails:
        files.make_directory(places.runtime(jail))
        files.write_atomic(places.rules(jail), "", sync=False)


def _unmark(jails: Iterable[str]) -> None:
    for jail in jails:
        files.remove_file(places.rules(jail))


def _of_all_jails() -> dict[str, Contents]:
    """What the documents of all jails ask for; one that is damaged asks for nothing."""
    found: dict[str, Contents] = {}
    known = allocations.find_all()
    for jail in store.names():
        with store.passing_over(jail):
            document = _in_force(jail)
            if jail in known and has_rules(document, beside_others=True):
                found[jail] = contents_of(document, known[jail])
    return found


def _in_force(jail: str) -> Mapping[str, Any]:
    """The stored document, unless a running jail waits for a restart that gives it another network.

    Where that is damaged, a jail keeps what it was started with.
    """
    try:
        stored = effective(store.read_document(jail) or {"name": jail})
    except DamagedRecord:
        started = store.read_started(jail)
        if started is None:
            raise
        return started
    document = in_force(stored, store.read_started(jail, stored))
    return document if document is stored or status.run_state(jail) in ("running", "frozen") else stored
