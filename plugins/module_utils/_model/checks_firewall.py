# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .addresses import families_of, is_automatic
from .errors import DocumentError
from .forwards import family_of, forwards
from .options_firewall import filters
from .place import Place
from .ports import LAST_PORT, bounds

# Each port of a range that changes its numbers is an element of a map; one that keeps them is a single element.
_MOST_RENUMBERED = 1024
_WITHOUT_PACKETS = {
    "none": "mode none has no address that anything could reach",
    "host": "mode host uses the host's own addresses and ports",
}
# Packets between members of a bridge, and between a parent and what stands on it, do not pass the host's own stack.
_BESIDE_THE_HOST = ("bridge", "parent")


def check_rules(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    """Forwards, masquerading, a firewall or a bandwidth that cannot be."""
    for check in (_check_forwards, _check_firewall, _check_bandwidth):
        yield from check(document, place)


def _check_forwards(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    """Forwards that the host cannot carry out, or that contradict each other."""
    ip, where = document["ip"], place.at("ip").at("forwards")
    if not ip["forwards"]:
        return
    fault = _unroutable(ip)
    if fault:
        yield where.error(fault, _remedy(ip, "forwards"))
        return
    for number, entry in enumerate(ip["forwards"]):
        yield from _check_forward(entry, ip["addresses"], where.item(number))
    found = forwards(document)
    for index, forward in enumerate(found):
        for earlier in found[:index]:
            if earlier.number != forward.number and earlier.overlaps(forward):
                first = where.item(earlier.number).path
                yield where.item(forward.number).at("port").error(f"is forwarded by {first} already", "say it once")
                return


def _check_forward(entry: Mapping[str, Any], addresses: list[str], place: Place) -> Iterator[DocumentError]:
    own = [address.partition("/")[0] for address in addresses]
    address, host_address = entry.get("address"), entry.get("host_address")
    families = {family for each in ([address] if address else own) for family in families_of(each)}
    if address and address not in own and not is_automatic(own):
        yield place.at("address").error(f"{address} is no address of the jail", "write one of ip.addresses")
    elif host_address and host_address in own:
        yield place.at("host_address").error(f"{host_address} is the jail's own", "write an address of the host")
    elif host_address and family_of(host_address) not in families:
        yield place.at("host_address").error(
            f"what comes to {host_address} cannot go to the jail, which has no such address",
            "give the jail an address of that family",
        )
    first, last = bounds(entry["port"])
    shift = entry.get("to", first) - first
    if last + shift > LAST_PORT:
        yield place.at("to").error("leads beyond the last port", f"write at most {LAST_PORT - last + first}")
    elif shift and last - first >= _MOST_RENUMBERED:
        yield place.at("to").error(
            f"a range of {last - first + 1} ports keeps its numbers", f"leave it out, or forward {_MOST_RENUMBERED}"
        )


def _check_firewall(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    """Rules and masquerading where packets do not pass the host's stack, and ports without a protocol that has any."""
    ip, where = document["ip"], place.at("ip")
    fault = _unroutable(ip)
    for name in ("firewall", "masquerade"):
        if fault and (ip["masquerade"] if name == "masquerade" else filters(ip)):
            yield where.at(name).error(fault, _remedy(ip, name))
    for direction in ("inbound", "outbound"):
        for number, rule in enumerate(ip["firewall"][direction]["rules"]):
            if rule["ports"] and rule.get("protocol") not in ("tcp", "udp"):
                at = where.at("firewall").at(direction).at("rules").item(number).at("ports")
                yield at.error("need a protocol that has ports", "say protocol: tcp or protocol: udp")


def _check_bandwidth(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    """A rate where the jail has no wire of its own to the host."""
    ip = document["ip"]
    if not ip["bandwidth"]:
        return
    where = place.at("ip").at("bandwidth")
    if ip["mode"] != "vnet":
        yield where.error(f"mode {ip['mode']} has no link of the jail's own", "use mode: vnet, or clear bandwidth")
    elif ip.get("parent"):
        yield where.error("a jail on a parent has no link on the host", "leave the parent out, or clear bandwidth")


def _unroutable(ip: Mapping[str, Any]) -> str:
    """Why the host cannot change or judge the jail's packets, empty if it can."""
    if ip["mode"] in _WITHOUT_PACKETS:
        return _WITHOUT_PACKETS[ip["mode"]]
    beside = next((name for name in _BESIDE_THE_HOST if ip.get(name)), "")
    return f"the packets of a jail with a {beside} do not pass through the host" if beside else ""


def _remedy(ip: Mapping[str, Any], option: str) -> str:
    other = "use mode: vnet" if ip["mode"] in _WITHOUT_PACKETS else "let the host route to the jail"
    return f"{other}, or clear {option}"
