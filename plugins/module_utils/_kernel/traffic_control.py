# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What becomes of packets on their way through a link: tc(8), through pyroute2.

A link shapes only what it sends. What it receives is shaped by sending it through an ifb: a link that gives everything
it was sent back to where that came from.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import Any, Callable

from . import bpf, rtnetlink
from .rtnetlink import Link, TokenBucket

_ETH_P_ALL = 3
# Instructions of a classifier that matches every packet (tc-bpf(8)): r0 = -1; exit.
_EVERY_PACKET = struct.pack("=BBhi", 0xB7, 0, 0, -1) + struct.pack("=BBhi", 0x95, 0, 0, 0)


class TrafficControl:
    """The requests about traffic; ``_request`` and ``_tolerant`` are those of links.Connection."""

    _request: Callable[..., None]
    _tolerant: Callable[..., None]

    def filter_ingress(self, link: Link, *, code: bytes, name: str) -> None:
        """Have a bpf program judge every packet that a link receives, in place of the one before without a gap.

        KernelError ENOENT: the kernel has no sch_ingress or cls_bpf.
        """
        self._tolerant((errno.EEXIST,), "add", f"clsact to {link.name}", "tc", "add", "clsact", link.ifindex)
        self._classify(link, code, priority=1, name=name, direct_action=True)

    def filter_egress(self, link: Link, *, code: bytes, name: str) -> None:
        """The same for every packet that a link sends; found again by Reader.egress_filters()."""
        self._tolerant((errno.EEXIST,), "add", f"clsact to {link.name}", "tc", "add", "clsact", link.ifindex)
        self._classify(link, code, priority=1, name=name, parent=rtnetlink.TC_EGRESS, direct_action=True)

    def redirect_ingress(self, link: Link, *, to: Link, name: str) -> None:
        """Send what a link receives, and its filter has let pass as unspecified, out of another link.

        KernelError ENOENT: the kernel has no act_mirred.
        """
        action = {"kind": "mirred", "direction": "egress", "action": "redirect", "ifindex": to.ifindex}
        self._classify(link, _EVERY_PACKET, priority=2, name=name, action=action)

    def _classify(
        self,
        link: Link,
        code: bytes,
        *,
        priority: int,
        name: str,
        parent: int = rtnetlink.TC_INGRESS,
        **what: Any,
    ) -> None:
        program = bpf.load(bpf.SCHED_CLS, code, "jail_ingress")
        try:
            self._request(
                "filter",
                f"ingress of {link.name}",
                "tc",
                "replace-filter",
                "bpf",
                link.ifindex,
                handle=1,
                parent=parent,
                prio=priority,
                protocol=_ETH_P_ALL,
                fd=program,
                name=name,
                **what,
            )
        finally:
            os.close(program)

    def stop_redirecting(self, link: Link) -> None:
        """Take back redirect_ingress(); one that is gone is no error."""
        self._tolerant(
            (errno.ENOENT, errno.EINVAL),
            "unfilter",
            f"ingress of {link.name}",
            "tc",
            "del-filter",
            "bpf",
            link.ifindex,
            handle=1,
            parent=rtnetlink.TC_INGRESS,
            prio=2,
            protocol=_ETH_P_ALL,
        )

    def limit(self, link: Link, bucket: TokenBucket, *, burst: int) -> None:
        """Have a link send no faster than this, in place of the limit before; ``burst`` bytes may go at once.

        KernelError ENOENT: the kernel has no sch_tbf.
        """
        self._request(
            "limit",
            f"link {link.name}",
            "tc",
            "replace",
            "tbf",
            link.ifindex,
            handle=0x10000,
            rate=bucket.rate,
            burst=burst,
            limit=bucket.limit,
        )

    def unlimit(self, link: Link) -> None:
        """Have a link send as fast as it can."""
        self._tolerant(
            (errno.ENOENT, errno.EINVAL), "unlimit", f"link {link.name}", "tc", "del", index=link.ifindex, root=True
        )

    def create_ifb(self, name: str) -> None:
        """A link that sends everything back to where it came from; KernelError EEXIST where its name is taken.

        One queue: a limit holds for all of them together, and each of them costs.
        """
        options = {"kind": "ifb", "num_tx_queues": 1, "num_rx_queues": 1}
        self._request("create ifb", name, "link", "add", ifname=name, **options)
