# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The powers that FreeBSD's jail(8) names ``allow.*``, and what each is on Linux.

A permission that is given brings the capabilities that it takes, and opens no more system calls than its own; one that
is taken away takes both. What it is worth is said by the report on a jail's privileges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .place import Place, did_you_mean, shown


class Permission(NamedTuple):
    """One of FreeBSD's ``allow.*``.

    ``capabilities`` is what it takes. ``unavailable`` says why no jail can have it, ``partial`` what is missing when a
    jail has it, ``kept`` what stays possible when it is taken away; all are empty where there is nothing to say.
    """

    summary: str
    capabilities: frozenset[str] = frozenset()
    unavailable: str = ""
    partial: str = ""
    kept: str = ""


_MOUNT = "the kernel decides which file systems a user namespace mounts, and a filter cannot tell them apart"
_NO_SUCH = "Linux knows no such thing"
_BY_FUSE = "give the jail the device and allow mount, as in devices: [/dev/fuse]"
_BY_KVM = "give the jail the device instead, as in devices: [/dev/kvm]"


def _mount(name: str) -> Permission:
    return Permission(f"Mount file systems such as {name}", frozenset({"SYS_ADMIN"}), partial=_MOUNT)


PERMISSIONS: dict[str, Permission] = {
    "adjtime": Permission("Slew the clock", unavailable="the clock belongs to the host"),
    "chflags": Permission(
        "Set immutable and append-only flags",
        unavailable="the kernel lets only the host's root set the immutable and append-only flags",
    ),
    "extattr": Permission(
        "Set extended attributes of the system namespace",
        unavailable="trusted.* attributes belong to the host's root; user.* and file capabilities need no permission",
    ),
    "mlock": Permission(
        "Lock memory, as much as the limit of memory allows",
        frozenset({"IPC_LOCK"}),
    ),
    "mount": _mount("tmpfs, bind mounts and overlays"),
    "mount.devfs": Permission("Mount devices", unavailable="a user namespace mounts no devtmpfs; /dev is made by us"),
    "mount.fdescfs": Permission("Mount fdescfs", unavailable="/dev/fd is there without it"),
    "mount.fusefs": Permission("Mount FUSE file systems", unavailable=_BY_FUSE),
    "mount.linprocfs": Permission("Mount linprocfs", unavailable="/proc is there without it"),
    "mount.nullfs": _mount("bind mounts"),
    "mount.overlay": _mount("overlays"),
    "mount.procfs": Permission("Mount procfs", unavailable="/proc is there, with parts that stay hidden"),
    "mount.tmpfs": _mount("tmpfs"),
    "mount.zfs": Permission("Mount ZFS", unavailable="ZFS is no part of Linux"),
    "nested_jails": Permission(
        "Make jails, containers and namespaces inside",
        unavailable="it takes a jail that builds its own mounts: the profile vps has it",
    ),
    "nfsd": Permission("Serve NFS by the kernel", unavailable="the kernel's NFS server belongs to the host"),
    "quotas": Permission("Administer quotas", unavailable="quota calls reach the host's file systems"),
    "raw_sockets": Permission("Open raw sockets, as ping and traceroute do", frozenset({"NET_RAW"})),
    "read_msgbuf": Permission("Read the kernel's messages", unavailable="the kernel's log belongs to the host"),
    "reserved_ports": Permission("Bind ports below 1024", frozenset({"NET_BIND_SERVICE"})),
    "routing": Permission("Change the routing table", frozenset({"NET_ADMIN"})),
    "set_hostname": Permission("Change the host name", frozenset({"SYS_ADMIN"})),
    "setaudit": Permission("Set audit sessions", unavailable="the audit system belongs to the host"),
    "settime": Permission("Set the clock", unavailable="the clock belongs to the host"),
    "socket_af": Permission(
        "Use socket families other than UNIX, IPv4, IPv6 and netlink",
        partial="never VSOCK, which reaches the hypervisor, and the kernel's cryptography (ALG)",
    ),
    "suser": Permission("Have a root user that is one"),
    "sysvipc": Permission("Use System V IPC, private to the jail"),
    "sysvmsg": Permission("Use System V message queues, private to the jail"),
    "sysvsem": Permission("Use System V semaphores, private to the jail"),
    "sysvshm": Permission("Use System V shared memory, private to the jail"),
    "unprivileged_parent_tampering": Permission(
        "Have processes of another jail's users tampered with", unavailable="no two jails have a user in common"
    ),
    "unprivileged_proc_debug": Permission(
        "Trace and debug processes of the jail",
        kept="a debugger of the jail's root is refused as well",
    ),
    "vmm": Permission("Run virtual machines", unavailable=_BY_KVM),
    "vmm_ppt": Permission("Pass devices through to virtual machines", unavailable=_NO_SUCH),
}

# One word for three.
_PARTS = {"sysvipc": ("sysvmsg", "sysvsem", "sysvshm")}

# Taken away with a permission, although it is not needed for it: else the capability would give it back.
_TAKEN_ALONG = {"unprivileged_proc_debug": frozenset({"SYS_PTRACE"})}


def spread(allow: Mapping[str, bool]) -> dict[str, bool]:
    """Permissions with those that stand for several replaced by them; one that is named itself keeps its own word."""
    found: dict[str, bool] = {}
    for name, given in allow.items():
        for part in _PARTS.get(name, ()):
            found.setdefault(part, given)
        if name not in _PARTS:
            found[name] = given
    return found


def taken_with(name: str) -> frozenset[str]:
    """Capabilities that go when a permission is taken away."""
    return PERMISSIONS[name].capabilities | _TAKEN_ALONG.get(name, frozenset())


def denial_of(name: str) -> str:
    """``mount.notmpfs`` for ``mount.tmpfs``, as jail.conf(5) has it."""
    parent, dot, last = name.rpartition(".")
    return f"{parent}{dot}no{last}"


def parse_allow(value: Any, place: Place) -> dict[str, bool]:
    """``{name: given}`` from a mapping, or from a list of names as in jail.conf(5), where ``no`` before one denies it.

    The prefix ``allow.`` is accepted. DocumentError for a name that there is not, or that is said twice.
    """
    if isinstance(value, Mapping):
        pairs = [
            (name, given, place.at(name if isinstance(name, str) else shown(name))) for name, given in value.items()
        ]
    elif isinstance(value, (list, tuple)):
        pairs = [(name, True, place.item(index)) for index, name in enumerate(value)]
    else:
        raise place.error(f"{shown(value)} is neither a list nor a mapping", "write a list of names")
    allow: dict[str, bool] = {}
    for raw, given, where in pairs:
        name, given = _parse_name(raw, given, where)
        if name in allow:
            raise where.error(f"{name} is said twice", "say it once")
        allow[name] = given
    return dict(sorted(allow.items()))


def _parse_name(raw: Any, given: Any, place: Place) -> tuple[str, bool]:
    if not isinstance(given, bool):
        raise place.error(f"{shown(given)} is neither true nor false", "write true or false, without quotes")
    name = raw.strip().lower() if isinstance(raw, str) else ""
    if name.startswith("allow."):
        name = name[len("allow.") :]
    if name in PERMISSIONS:
        return name, given
    parent, dot, last = name.rpartition(".")
    denied = f"{parent}{dot}{last[2:]}"
    if last.startswith("no") and denied in PERMISSIONS:
        return denied, not given
    raise place.error(f"{shown(raw)} is not a permission", did_you_mean(name, PERMISSIONS))
