# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Expressions and statements of nft(8) in the JSON form of libnftables-json(5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

Expression = dict[str, Any]
Statement = dict[str, Any]
Value = Union[str, int, Expression]

ACCEPT: Statement = {"accept": None}
DROP: Statement = {"drop": None}
REJECT: Statement = {"reject": None}
RETURN: Statement = {"return": None}
MASQUERADE: Statement = {"masquerade": None}


def meta(key: str) -> Expression:
    """What the kernel knows beside the packet: ``iifname``, ``oifname``, ``l4proto``, ``nfproto``."""
    return {"meta": {"key": key}}


def field(protocol: str, name: str) -> Expression:
    """A field of a header: ``ip saddr``, ``th dport`` (of whatever transport there is)."""
    return {"payload": {"protocol": protocol, "field": name}}


def conntrack(key: str) -> Expression:
    """What connection tracking knows: ``state``, ``status``."""
    return {"ct": {"key": key}}


def type_of_destination() -> Expression:
    """How the host would route to the packet's destination: ``local`` for its own addresses."""
    return {"fib": {"result": "type", "flags": ["daddr"]}}


def concatenated(*parts: Value) -> Expression:
    """Several values as one key."""
    return {"concat": list(parts)}


def span(first: int, last: int) -> Value:
    """Numbers from first to last; the first alone where there is but one, as nft shows it."""
    return first if first == last else {"range": [first, last]}


def network(text: str) -> Value:
    """An address or a network in prefix notation; a single address without its prefix, as nft shows it."""
    address, _unused, bits = text.partition("/")
    if bits in ("", "128" if ":" in address else "32"):
        return address
    return {"prefix": {"addr": address, "len": int(bits)}}


def any_of(values: Sequence[Value]) -> Expression:
    """One of several values, as an anonymous set."""
    return {"set": list(values)}


def match(left: Expression, right: Value, operation: str = "==") -> Statement:
    """Go on with the rule only if this holds; ``in`` compares bits and members of a set that is named ``@NAME``."""
    return {"match": {"op": operation, "left": left, "right": right}}


def looked_up(key: Expression, name: str) -> Expression:
    """The value of a map for a key; a rule ends where the map has none."""
    return {"map": {"key": key, "data": f"@{name}"}}


def verdict_of(key: Expression, name: str) -> Statement:
    """Do what a verdict map says for a key, if anything."""
    return {"vmap": {"key": key, "data": f"@{name}"}}


def jump(chain: str) -> Statement:
    """Go through another chain, and come back unless it decides."""
    return {"jump": {"target": chain}}


def send_to(family: str, address: Expression, port: Expression | None = None) -> Statement:
    """Give the connection another destination; ``family`` is ``ip`` or ``ip6``. The port stays where none is given."""
    statement = {"family": family, "addr": address}
    return {"dnat": {**statement, "port": port} if port else statement}
