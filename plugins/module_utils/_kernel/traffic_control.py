# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What becomes of packets on their way through a link: tc(8).

A link shapes only what it sends. What it receives is shaped by sending it through an ifb: a link that gives everything
it was sent back to where that came from. What shapes goes through pyroute2; the filter that every jail has does not.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any, Callable

from . import bpf, namespaces, rtnetlink
from . import rtnetlink_records as records
from .errors import KernelError
from .iproute import Requests
from .netlink import CREATE_NEW, CREATE_OR_REPLACE, pack, u32
from .rtnetlink import Link, TokenBucket

_ETH_P_ALL = 3
# Instructions of a classifier that matches every packet (tc-bpf(8)): r0 = -1; exit.
_EVERY_PACKET = struct.pack("=BBhi", 0xB7, 0, 0, -1) + struct.pack("=BBhi", 0x95, 0, 0, 0)
_CLSACT_HANDLE, _CLSACT_PARENT = 0xFFFF0000, 0xFFFFFFF1
# TCA_BPF_FLAG_ACT_DIRECT.
_DIRECT_ACTION = 1
_REDIRECTION = {"handle": 1, "parent": rtnetlink.TC_INGRESS, "prio": 2, "protocol": _ETH_P_ALL}


class TrafficControl:
    """The requests about traffic; ``_request`` and ``_tolerant`` are those of links.Connection."""

    _request: Callable[..., None]
    _tolerant: Callable[..., None]

    def __init__(self) -> None:
        self._namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._shaping: Requests | None = None

    def close(self) -> None:
        os.close(self._namespace)
        if self._shaping:
            self._shaping.close()

    def _shape(self, operation: str, target: str, *arguments: Any, **options: Any) -> None:
        """One request through pyroute2; KernelError ENOPKG where there is none."""
        if self._shaping is None:
            with namespaces.visiting(self._namespace, namespaces.NEWNET):
                self._shaping = Requests()
        self._shaping.send(operation, target, *arguments, **options)

    def filter_ingress(self, link: Link, *, code: bytes, name: str) -> None:
        """Have a bpf program judge every packet that a link receives, in place of the one before without a gap.

        KernelError ENOENT: the kernel has no sch_ingress or cls_bpf.
        """
        self._filter(link, code, name=name, parent=rtnetlink.TC_INGRESS)

    def filter_egress(self, link: Link, *, code: bytes, name: str) -> None:
        """The same for every packet that a link sends; found again by Reader.egress_filters()."""
        self._filter(link, code, name=name, parent=rtnetlink.TC_EGRESS)

    def _filter(self, link: Link, code: bytes, *, name: str, parent: int) -> None:
        place = records.TRAFFIC.pack(0, link.ifindex, _CLSACT_HANDLE, _CLSACT_PARENT, 0) + pack(
            [(records.TCA_KIND, b"clsact\0")]
        )
        self._tolerant((errno.EEXIST,), "add", f"clsact to {link.name}", records.RTM_NEWQDISC, place, CREATE_NEW)
        with _loaded(code) as program:
            options = [
                (records.TCA_BPF_FD, u32(program)),
                (records.TCA_BPF_NAME, name.encode() + b"\0"),
                (records.TCA_BPF_FLAGS, u32(_DIRECT_ACTION)),
            ]
            first_of_all = 1 << 16 | socket.htons(_ETH_P_ALL)
            header = records.TRAFFIC.pack(0, link.ifindex, 1, parent, first_of_all)
            body = header + pack([(records.TCA_KIND, b"bpf\0"), (records.TCA_OPTIONS, pack(options))])
            self._request("filter", f"ingress of {link.name}", records.RTM_NEWTFILTER, body, CREATE_OR_REPLACE)

    def redirect_ingress(self, link: Link, *, to: Link, name: str) -> None:
        """Send what a link receives, and its filter has let pass as unspecified, out of another link.

        KernelError ENOENT: the kernel has no act_mirred.
        """
        action = {"kind": "mirred", "direction": "egress", "action": "redirect", "ifindex": to.ifindex}
        with _loaded(_EVERY_PACKET) as program:
            self._shape(
                "filter",
                f"ingress of {link.name}",
                "tc",
                "replace-filter",
                "bpf",
                link.ifindex,
                fd=program,
                name=name,
                action=action,
                **_REDIRECTION,
            )

    def stop_redirecting(self, link: Link) -> None:
        """Take back redirect_ingress(); one that is gone is no error."""
        with _nothing_there():
            target = f"ingress of {link.name}"
            self._shape("unfilter", target, "tc", "del-filter", "bpf", link.ifindex, **_REDIRECTION)

    def limit(self, link: Link, bucket: TokenBucket, *, burst: int) -> None:
        """Have a link send no faster than this, in place of the limit before; ``burst`` bytes may go at once.

        KernelError ENOENT: the kernel has no sch_tbf.
        """
        self._shape(
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
        with _nothing_there():
            self._shape("unlimit", f"link {link.name}", "tc", "del", index=link.ifindex, root=True)

    def create_ifb(self, name: str) -> None:
        """A link that sends everything back to where it came from; KernelError EEXIST where its name is taken.

        One queue: a limit holds for all of them together, and each of them costs.
        """
        options = {"kind": "ifb", "num_tx_queues": 1, "num_rx_queues": 1}
        self._shape("create ifb", name, "link", "add", ifname=name, **options)


@contextlib.contextmanager
def _loaded(code: bytes) -> Iterator[int]:
    program = bpf.load(bpf.SCHED_CLS, code, "jail_ingress")
    try:
        yield program
    finally:
        os.close(program)


@contextlib.contextmanager
def _nothing_there() -> Iterator[None]:
    """What is to be taken back may be gone already."""
    try:
        yield
    except KernelError as error:
        if error.errno not in (errno.ENOENT, errno.EINVAL):
            raise
