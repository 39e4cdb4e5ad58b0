# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of addresses where two of each family are held to: claims about the programs and about the kernel."""

from __future__ import annotations

A4, B4, A6, B6 = "10.35.0.11", "10.35.0.12", "fd00:35::11", "fd00:35::12"
FOREIGN4, FOREIGN6 = "192.0.2.1", "2001:db8::1"
UNAVAILABLE, UNREACHABLE = "EADDRNOTAVAIL", "ENETUNREACH"


def mapped(address: str) -> str:
    return f"::ffff:{address}"


# What binding to an address binds to.
BINDS = {
    "0.0.0.0": A4,
    "127.0.0.1": A4,
    "127.255.255.255": A4,
    A4: A4,
    B4: B4,
    "10.35.0.13": UNAVAILABLE,
    "10.35.0.255": UNAVAILABLE,
    "126.255.255.255": UNAVAILABLE,
    "128.0.0.1": UNAVAILABLE,
    "224.0.0.1": UNAVAILABLE,
    "255.255.255.255": UNAVAILABLE,
    "::": A6,
    "::1": A6,
    A6: A6,
    B6: B6,
    "fd00:35::13": UNAVAILABLE,
    "fe80::1": UNAVAILABLE,
    "ff02::1": UNAVAILABLE,
    "::2": UNAVAILABLE,
    "::10.35.0.11": UNAVAILABLE,
    mapped("0.0.0.0"): mapped(A4),
    mapped("127.0.0.53"): mapped(A4),
    mapped(A4): mapped(A4),
    mapped(B4): mapped(B4),
    mapped(FOREIGN4): UNAVAILABLE,
}

# Where connecting to an address leads, and where the connection comes from.
CONNECTS = {
    FOREIGN4: (FOREIGN4, A4),
    FOREIGN6: (FOREIGN6, A6),
    mapped(FOREIGN4): (mapped(FOREIGN4), mapped(A4)),
    "127.0.0.1": (A4, A4),
    "0.0.0.0": (A4, A4),
    "::1": (A6, A6),
    "::": (A6, A6),
    mapped("127.0.0.1"): (mapped(A4), mapped(A4)),
    mapped("0.0.0.0"): (mapped(A4), mapped(A4)),
    A4: (A4, A4),
    B4: (B4, B4),
    A6: (A6, A6),
    B6: (B6, B6),
    mapped(B4): (mapped(B4), mapped(B4)),
    "fe80::1": ("fe80::1", A6),
}
