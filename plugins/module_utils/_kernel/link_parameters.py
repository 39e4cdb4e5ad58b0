# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import socket
import struct

from .netlink import unpack
from .rtnetlink import Link

_IFLA_INET_CONF, _IFLA_INET6_CONF = 1, 2
_VALUE = struct.Struct("=i")
# Where in the kernel's arrays they are: IPV4_DEVCONF_* less 1, and DEVCONF_*.
_PLACES = {
    "ipv4": (socket.AF_INET, _IFLA_INET_CONF, {"forwarding": 0, "accept_redirects": 3, "rp_filter": 7}),
    "ipv6": (
        socket.AF_INET6,
        _IFLA_INET6_CONF,
        {
            "forwarding": 0,
            "accept_ra": 3,
            "accept_redirects": 4,
            "disable_ipv6": 26,
            "addr_gen_mode": 47,
            "force_forwarding": 59,
        },
    ),
}


def parameters_of(link: Link) -> dict[str, str]:
    """Kernel parameters of a link by their names as for ``sysctls``: ``net/ipv4/conf/NAME/rp_filter``.

    Those that matter here, as far as the kernel has them: a look at all links brings those of all along.
    """
    families = unpack(link.settings)
    found: dict[str, str] = {}
    for protocol, (family, kind, places) in _PLACES.items():
        values = unpack(families.get(family, b"")).get(kind, b"")
        for key, place in places.items():
            if _VALUE.size * (place + 1) <= len(values):
                value = _VALUE.unpack_from(values, _VALUE.size * place)[0]
                found[f"net/{protocol}/conf/{link.name}/{key}"] = str(value)
    return found
