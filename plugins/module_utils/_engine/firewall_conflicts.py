# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Whether the host can give a jail the ports that its document asks for, and packets of other machines at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from socket import AF_INET, AF_INET6
from typing import Any

from .._kernel import inet_sockets, sysctls
from .._kernel.errors import KernelError
from .._kernel.inet_sockets import Listener
from .._kernel.rtnetlink import Reader
from .._model.forwards import Forward, family_of, forwards
from . import store
from .errors import EngineError
from .host_facts import NOTHING_KNOWN, HostFacts

_FORWARDING = {4: ("net/ipv4/ip_forward", "net/ipv4/conf"), 6: ("net/ipv6/conf/all/forwarding", "net/ipv6/conf")}
_FAMILIES = {4: AF_INET, 6: AF_INET6}


def refuse(document: Mapping[str, Any], stored: Mapping[str, Any] | None, facts: HostFacts = NOTHING_KNOWN) -> None:
    """EngineError for what an effective document asks for, the stored one did not, and the host cannot do.

    What was accepted once stays accepted: a program of the host that takes a port later, say, keeps no jail from
    starting. Who knows which addresses are ``taken`` has compared the documents of all jails with each other.
    """
    jail, accepted = document["name"], {forward._replace(number=0) for forward in forwards(stored or {})}
    new = [forward for forward in forwards(document) if forward._replace(number=0) not in accepted]
    if new and facts.taken is None:
        others = dict(store.read_others(without=(jail,)))
        _refuse_ports_of_jails(jail, new, others)
        _refuse_ports_of_host(jail, new, _addresses([document, *others.values()]))
    elif new:
        _refuse_ports_of_host(jail, new, {address.partition("/")[0] for address in facts.taken or ()})
    if new or (document["ip"]["masquerade"] and not (stored or {}).get("ip", {}).get("masquerade")):
        _refuse_without_forwarding(document, new)


def _addresses(documents: Iterable[Mapping[str, Any]]) -> set[str]:
    """Addresses that jails have: what listens there is theirs, and no forward takes it from them."""
    prefixed = (address for document in documents for address in document.get("ip", {}).get("addresses", ()))
    return {address.partition("/")[0] for address in prefixed}


def _refuse_ports_of_jails(jail: str, new: list[Forward], others: Mapping[str, Mapping[str, Any]]) -> None:
    for other, document in others.items():
        for forward in forwards(document):
            for wanted in new:
                if wanted.overlaps(forward):
                    raise _refusal(jail, wanted, f"is forwarded to jail {other}")


def _refuse_ports_of_host(jail: str, new: list[Forward], of_jails: set[str]) -> None:
    """A program of the host would lose its connections to the jail: sshd on port 22, say, and with it the host."""
    for listener in _listeners({forward.protocol for forward in new}):
        for forward in new:
            if _takes(forward, listener, of_jails):
                owners = inet_sockets.owners([listener.inode]).get(listener.inode, ())
                names = ", ".join(f"{name} (pid {pid})" for pid, name in owners[:1])
                raise _refusal(jail, forward, f"is what {names or 'a program of the host'} listens on")


def _listeners(protocols: set[str]) -> list[Listener]:
    try:
        return inet_sockets.listeners(protocols=sorted(protocols))
    except KernelError:  # a kernel without sock_diag(7)
        return []


def _takes(forward: Forward, listener: Listener, of_jails: set[str]) -> bool:
    if forward.protocol != listener.protocol or not forward.first <= listener.port <= forward.last:
        return False
    if _FAMILIES[forward.family] not in listener.families:
        return False
    if not listener.address or forward.host_address:
        return listener.address in ("", forward.host_address)
    return not ip_address(listener.address).is_loopback and listener.address not in of_jails


def _refusal(jail: str, forward: Forward, use: str) -> EngineError:
    ports = str(forward.first) if forward.first == forward.last else f"{forward.first}-{forward.last}"
    return EngineError(
        jail,
        f"{forward.protocol} port {ports} of the host {use}",
        path=f"ip.forwards[{forward.number}].port",
        remedy="choose another port, or the address of the host by host_address",
    )


def _refuse_without_forwarding(document: Mapping[str, Any], new: list[Forward]) -> None:
    if document["ip"]["mode"] == "shared":
        return  # the host itself answers
    families = {forward.family for forward in new}
    if document["ip"]["masquerade"]:
        families |= {family_of(address) for address in document["ip"]["addresses"]}
    for family in sorted(families):
        name, links = _FORWARDING[family]
        if sysctls.read(name) == "0" and not _forwards_by_a_link(links):
            option = f"forwards[{new[0].number}]" if new else "masquerade"
            raise EngineError(
                document["name"],
                f"this host forwards no IPv{family} packets of other machines",
                path=f"ip.{option}",
                remedy=f"set {name.replace('/', '.')} to 1; the role hosting.jails.host does it",
            )


def _forwards_by_a_link(directory: str) -> bool:
    """Whether an administrator has chosen links that forward, instead of all."""
    with Reader() as reader:
        names = [link.name for link in reader.links() if not _is_jails(link.name) and link.name != "lo"]
    return any(sysctls.read(f"{directory}/{name}/forwarding") == "1" for name in names)


def _is_jails(link: str) -> bool:
    return link.startswith("jl") and link[2:].isdigit()
