# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from typing import Any

from .addresses import ADDRESS, DESTINATION, JAIL_ADDRESS, MAC
from .options_firewall import BANDWIDTH, FIREWALL, FORWARD
from .scalars import BOOLEAN, Choice, whole_number
from .shapes import LIVE, RESTART, ListOf, Option, Record
from .values import DOMAIN, LINK_NAME, RESOLVER_OPTION

# The least that IPv6 works with (RFC 8200, section 5).
_SMALLEST_MTU = 1280

DNS = Record(
    Option("servers", ListOf(ADDRESS, unique=True), "Addresses of name servers, the first one asked first."),
    Option("search", ListOf(DOMAIN, unique=True), "Domains that are tried for names without a dot."),
    Option("options", ListOf(RESOLVER_OPTION, unique=True), "Options of C(resolv.conf(5\\)), for example V(ndots:2)."),
)

ROUTE = Record(
    Option("to", DESTINATION, "Network with its prefix, or V(default).", required=True),
    Option("via", ADDRESS, "Address of the gateway.", required=True),
)


def _effect_of_mode(before: Any, after: Any) -> str:
    """A process cannot be moved to another network namespace; what is in its own can change at any time."""
    return RESTART if {before, after} & {"host", "shared"} else LIVE


IP = Record(
    Option(
        "mode",
        Choice("vnet", "shared", "none", "host"),
        [
            "V(vnet) gives the jail a network stack of its own, which the host routes its addresses to.",
            "V(shared) leaves it the network stack of the host and holds it to its addresses there.",
            "V(none) gives it an empty network stack with a loopback interface.",
            "V(host) leaves it the network stack of the host.",
        ],
        effect=_effect_of_mode,
        default="none",
    ),
    Option(
        "addresses",
        ListOf(JAIL_ADDRESS, unique=True),
        [
            "Addresses of the jail, for example V(10.20.0.11/32) and V(fd00:20::11/128). O(mode=vnet) and"
            " O(mode=shared) need at least one.",
            "V(auto) is a free address of each family that the host has pools of, V(auto4) and V(auto6) are one of that"
            " family. The jail keeps what it gets.",
        ],
        effect=LIVE,
    ),
    Option(
        "bridge",
        LINK_NAME,
        "Bridge of the host that a jail with O(mode=vnet) is plugged into, instead of being routed to. Its addresses"
        " then have the prefix of that network, for example V(192.0.2.10/24).",
        effect=LIVE,
    ),
    Option(
        "parent",
        LINK_NAME,
        "Link of the host that a jail with O(mode=vnet) gets a macvlan of, instead of being routed to. Its addresses"
        " then have the prefix of that network. The host itself does not reach such a jail.",
        effect=LIVE,
    ),
    Option(
        "gateway",
        ListOf(ADDRESS, unique=True),
        "Router of the network that O(bridge) or O(parent) lead to, one for each family.",
        effect=LIVE,
    ),
    Option(
        "interface",
        LINK_NAME,
        "Link of the host that carries the addresses of a jail with O(mode=shared). Without it they have to be the"
        " host's already.",
        effect=LIVE,
    ),
    Option(
        "mtu", whole_number(_SMALLEST_MTU, 65535), "Largest packet in bytes. The default is the kernel's.", effect=LIVE
    ),
    Option(
        "mac", MAC, "MAC address of the jail's interface. The default is derived from the jail's name.", effect=LIVE
    ),
    Option("dns", DNS, "Name resolution in the jail. The default is the host's."),
    Option("routes", ListOf(ROUTE), "Routes of the jail besides those to its host.", effect=LIVE),
    Option("forwards", ListOf(FORWARD), "Ports of the host that lead to the jail.", effect=LIVE),
    Option(
        "masquerade",
        BOOLEAN,
        "Whether what the jail sends from a private address to other machines leaves the host under the host's own"
        " address. What it sends from an address that the world can answer to is left as it is.",
        effect=LIVE,
        default=False,
    ),
    Option("firewall", FIREWALL, "What may reach the jail, and what it may reach.", effect=LIVE),
    Option("bandwidth", BANDWIDTH, "How fast the jail may receive and send.", effect=LIVE),
    Option(
        "admin",
        BOOLEAN,
        "Whether the jail's root administers the network stack of the jail: its links, routes, packet filter and raw"
        " sockets. What leaves the jail is still held to its addresses by the host.",
        default=False,
    ),
)
