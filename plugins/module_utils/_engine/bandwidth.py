# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""How fast a jail may receive and send: what there is to be on the host's end of its wire, and the requests for it.

What the jail receives is what the host's end sends: a token bucket there. What the jail sends, the host's end receives;
behind the filter of its source addresses it takes a detour through a link of its own (ifb), which has a token bucket
too. Neither is in the jail, whose root may own all that he sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .._kernel.rtnetlink import Link, Reader, TokenBucket

# The bytes that a bucket lets go at once last this long at its rate, and those that wait, that long.
_BURST_SECONDS, _QUEUE_SECONDS = 0.01, 0.05
# However slow it is, a bucket that is smaller than a packet would never let it pass, and a queue of none drops bursts.
_LEAST_PACKETS_AT_ONCE, _LEAST_PACKETS_WAITING = 4, 32
_ETHERNET_HEADER = 14


class Rates(NamedTuple):
    """Bits a second that a jail may receive and send; 0 is as fast as it can."""

    ingress: int = 0
    egress: int = 0


class Shaper(NamedTuple):
    """The link that what a jail sends goes through."""

    link: Link
    bucket: TokenBucket | None


class Request(NamedTuple):
    """A method of ``links.Connection``."""

    method: str
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]


class Shaped(NamedTuple):
    """The host's end of a jail's wire, as far as it is about bandwidth; ``redirect`` names what leads to the shaper."""

    link: Link
    bucket: TokenBucket | None
    redirect: str
    shaper: Shaper | None


def shaper_name(link: str) -> str:
    """The shaper that goes with a host's end: ``jb5`` with ``jl5``."""
    return f"jb{link[2:]}"


def shaper_mark(mark: str) -> str:
    """Its ifalias, by the mark of the jail's other links: no other link has it."""
    return f"{mark} egress"


def read_shaper(reader: Reader, link: str, mark: str) -> Shaper | None:
    """The shaper of a host's end; one that was just made has no mark yet."""
    found = reader.link(name=shaper_name(link))
    if found is None or found.kind != "ifb" or found.alias not in ("", shaper_mark(mark)):
        return None
    return Shaper(found, reader.token_bucket(found))


def requests(rates: Rates, shaped: Shaped, *, mtu: int, mark: str) -> list[Request]:
    """What leads from what is there to the rates; a shaper is made first, and set up when it is seen."""
    found: list[Request] = []
    if rates.ingress:
        found += _limit(shaped.link, shaped.bucket, rates.ingress, mtu)
    elif shaped.bucket:
        found.append(Request("unlimit", (shaped.link,), {}))
    if rates.egress:
        return found + _through_shaper(rates.egress, shaped, mtu, mark)
    if shaped.redirect:
        found.append(Request("stop_redirecting", (shaped.link,), {}))
    if shaped.shaper:
        found.append(Request("delete", (shaped.shaper.link,), {}))
    return found


def _through_shaper(rate: int, shaped: Shaped, mtu: int, mark: str) -> list[Request]:
    if shaped.shaper is None:
        return [Request("create_ifb", (shaper_name(shaped.link.name),), {})]
    link = shaped.shaper.link
    wanted = {"alias": shaper_mark(mark), "mtu": mtu, "up": True}
    differing = {name: value for name, value in wanted.items() if getattr(link, name) != value}
    found = [Request("set_link", (link,), differing)] if differing else []
    found += _limit(link, shaped.shaper.bucket, rate, mtu)
    name = f"to {link.ifindex}"
    if shaped.redirect != name:
        found.append(Request("redirect_ingress", (shaped.link,), {"to": link, "name": name}))
    return found


def _limit(link: Link, present: TokenBucket | None, rate: int, mtu: int) -> list[Request]:
    bytes_a_second, packet = rate // 8, mtu + _ETHERNET_HEADER
    burst = max(int(bytes_a_second * _BURST_SECONDS), packet * _LEAST_PACKETS_AT_ONCE)
    waiting = max(int(bytes_a_second * _QUEUE_SECONDS), packet * _LEAST_PACKETS_WAITING)
    bucket = TokenBucket(bytes_a_second, burst + waiting)
    return [] if present == bucket else [Request("limit", (link, bucket), {"burst": burst})]
