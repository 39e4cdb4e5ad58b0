# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .addresses import ADDRESS, PEER
from .ports import PORT, PORTS
from .rates import RATE
from .scalars import Choice
from .shapes import LIVE, ListOf, Option, Record

FORWARD = Record(
    Option("port", PORTS, "Port of the host, or a range of ports such as V(8000-8010).", required=True),
    Option(
        "host_address",
        ADDRESS,
        "Address of the host that is listened on. The default is all of them, but those of jails and of loopback.",
    ),
    Option(
        "to",
        PORT,
        "Port of the jail; with a range the first of as many. The default is the port of the host.",
    ),
    Option("protocol", Choice("tcp", "udp"), "What is forwarded.", default="tcp"),
    Option(
        "address",
        ADDRESS,
        "Address of the jail, without a prefix. The default is its first IPv4 address for what comes over IPv4, and its"
        " first IPv6 address for what comes over IPv6.",
    ),
)


def _rule(peer: str, description: str) -> Record:
    return Record(
        Option(
            "protocol",
            Choice("tcp", "udp", "icmp"),
            "What the rule is about. V(icmp) is ICMP and ICMPv6. The default is everything.",
        ),
        Option(
            "ports",
            ListOf(PORTS, unique=True),
            "Ports that are connected to, or ranges of ports. The default is all. They need a protocol that has ports.",
        ),
        Option(peer, ListOf(PEER, unique=True), description),
        Option("action", Choice("accept", "drop", "reject"), "What becomes of it.", default="accept"),
    )


def _direction(rule: Record) -> Record:
    return Record(
        Option(
            "policy",
            Choice("accept", "drop", "reject"),
            "What becomes of connections that no rule is about.",
            effect=LIVE,
            default="accept",
        ),
        Option("rules", ListOf(rule), "Rules, of which the first that applies decides.", effect=LIVE),
    )


FIREWALL = Record(
    Option(
        "inbound",
        _direction(_rule("from", "Addresses and networks that it comes from. The default is all.")),
        "What reaches the jail, from anywhere: the world, the host, and other jails.",
        effect=LIVE,
    ),
    Option(
        "outbound",
        _direction(_rule("to", "Addresses and networks that it goes to. The default is all.")),
        "What the jail reaches.",
        effect=LIVE,
    ),
)

BANDWIDTH = Record(
    Option("ingress", RATE, "Bits a second that the jail receives, V(10M) being ten million.", effect=LIVE),
    Option("egress", RATE, "Bits a second that the jail sends.", effect=LIVE),
)


def filters(ip: Mapping[str, Any]) -> bool:
    """Whether an effective ``ip`` section asks for a firewall."""
    return any(ip["firewall"][way]["rules"] or ip["firewall"][way]["policy"] != "accept" for way in ip["firewall"])
