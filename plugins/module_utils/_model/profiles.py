# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from .errors import DocumentError
from .permissions import PERMISSIONS, spread, taken_with

# What each capability is worth inside a user namespace, from the kernel's own checks (ns_capable or capable). The
# engine holds the kernel's table of names and numbers; a test compares the two.
_NAMESPACED = frozenset(
    """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_BROADCAST NET_ADMIN
    NET_RAW IPC_OWNER SYS_CHROOT SYS_PTRACE SYS_ADMIN SYS_BOOT SETFCAP CHECKPOINT_RESTORE
    """.split()
)

# The kernel asks for a part of these in the host's user namespace, where root in a jail is nobody.
LIMITED = {
    "DAC_READ_SEARCH": "reads every file of the jail, but opens none by its handle (open_by_handle_at(2))",
    "IPC_LOCK": "locks System V shared memory, but mlock(2) stays within the memlock limit",
    "NET_BROADCAST": "hears of other network namespaces by netlink; broadcasts and multicasts take no capability",
    "SYS_ADMIN": "mounts, names and namespaces of the jail's own; nothing of disks, swap, quotas or trusted attributes",
    "SYS_BOOT": "reboot(2) restarts or ends the jail, never the host, and there is no kexec_load(2)",
    "SYS_NICE": "changes the affinity of the jail's own processes, but raises no priority",
    "SYS_RESOURCE": "changes limits of the jail's own processes, but raises no hard limit",
}

# The kernel asks for these in the user namespace that owns the jail's pids or System V objects. The host makes those
# for every jail that does not make its own mounts.
OF_SYSTEM_JAILS = {
    "CHECKPOINT_RESTORE": "pids belong to the host's user namespace, and nobody in the jail chooses one",
    "IPC_LOCK": "System V objects belong to the host's user namespace, and mlock(2) takes the memlock limit alone",
    "IPC_OWNER": "System V objects belong to the host's user namespace, and in the jail to their owners alone",
    "SYS_BOOT": "pids belong to the host's user namespace, so reboot(2) is refused; a jail ends with its command",
}

# Count in the user namespace that owns the network.
NETWORK_CAPABILITIES = frozenset({"NET_ADMIN", "NET_BROADCAST", "NET_RAW"})

# The kernel asks for these in the host's user namespace only.
_HOST_ONLY = {
    "AUDIT_CONTROL": "the audit system belongs to the host",
    "AUDIT_READ": "the audit system belongs to the host",
    "AUDIT_WRITE": "the audit system belongs to the host",
    "BLOCK_SUSPEND": "suspending belongs to the host",
    "BPF": "BPF programs run in the host's kernel",
    "LEASE": "the kernel grants file leases on the files of others to the host's root only",
    "LINUX_IMMUTABLE": "the kernel lets only the host's root set the immutable and append-only flags",
    "MAC_ADMIN": "mandatory access control belongs to the host",
    "MAC_OVERRIDE": "mandatory access control belongs to the host",
    "MKNOD": "the kernel lets only the host's root make device nodes",
    "PERFMON": "performance counters belong to the host",
    "SYSLOG": "the kernel's log belongs to the host",
    "SYS_MODULE": "kernel modules belong to the host",
    "SYS_PACCT": "process accounting belongs to the host",
    "SYS_RAWIO": "hardware belongs to the host",
    "SYS_TIME": "the clock belongs to the host",
    "SYS_TTY_CONFIG": "virtual terminals belong to the host",
    "WAKE_ALARM": "waking alarms belong to the host",
}

CAPABILITIES = _NAMESPACED.union(LIMITED, _HOST_ONLY)

_SERVICE = frozenset("CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SETFCAP".split())
# What jail(8) and the FreeBSD handbook leave a jailed superuser, in Linux's words: users and groups, owners and modes
# of files, chroot, resource limits, tracing in the jail.
_FREEBSD = _SERVICE.union("DAC_READ_SEARCH SYS_CHROOT SYS_PTRACE SYS_RESOURCE".split())
# The keep list of util-vserver (lib/getinsecurebcaps.c), without what counts on the host only (LEASE, SYS_TTY_CONFIG).
_SECURE = frozenset(
    """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID NET_BIND_SERVICE SYS_CHROOT SYS_PTRACE SETFCAP
    """.split()
)

# Keep lists: a capability that a new kernel brings is in none of them.
_KEPT_BY_PROFILE: dict[str, frozenset[str]] = {
    "none": frozenset(),
    "service": _SERVICE,
    "freebsd": _FREEBSD,
    "secure": _SECURE,
    "vps": _NAMESPACED.union(LIMITED),
}
# What jail(8) says when nothing is said, where it is not what our other profiles do.
_ALLOWED_BY_PROFILE: dict[str, dict[str, bool]] = {"freebsd": {"set_hostname": True, "sysvipc": False}}
PROFILES = tuple(_KEPT_BY_PROFILE)
SECCOMP = ("default", "strict", "none")
# What Privileges.seccomp says of a profile that the document brings along.
OWN_PROFILE = "profile"
_NOT_OURS = ("none", OWN_PROFILE)
UNCONFINED = "without our filter the jail would get all of SYS_ADMIN"
SECUREBITS = ("noroot", "no_setuid_fixup", "no_cap_ambient_raise")


class Privileges(NamedTuple):
    """What a jail's root may do: the ``caps`` part of a document with every default filled in.

    ``capabilities`` are held, and those in ``confined`` only for the sake of a permission: no system call is opened for
    them but those of the permission. ``allowed`` and ``refused`` are names of permissions, by profile or by word.
    ``withheld`` are capabilities and permissions of the profile that this jail cannot have: it has no user namespace,
    or no filter of ours that would confine them.
    """

    profile: str
    capabilities: frozenset[str]
    no_new_privileges: bool
    seccomp: str
    confined: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    securebits: tuple[str, ...] = ()
    user_namespace: bool = True
    withheld: frozenset[str] = frozenset()


def privileges_of(document: Mapping[str, Any]) -> Privileges:
    """What the root of a jail may do, by its document; see resolve_privileges()."""
    return resolve_privileges(
        document.get("caps") or {},
        jail=str(document.get("name", "")),
        system=document.get("init") == "system",
        administers=bool((document.get("ip") or {}).get("admin")),
        network=(document.get("ip") or {}).get("mode") or "none",
    )


def resolve_privileges(
    caps: Mapping[str, Any], *, jail: str, system: bool, administers: bool = False, network: str = "none"
) -> Privileges:
    """Fill in the ``caps`` part of a document and do the sum: profile + keep + allow - drop.

    ``system`` says whether the jail boots its own init (``init: system``): such a jail gets the profile ``vps`` where
    none is named. A jail that ``administers`` its network (``ip.admin``) keeps what that takes. Raises DocumentError
    with the path of the option that cannot be.
    """
    profile = caps.get("profile") or ("vps" if system else "service")
    if profile not in _KEPT_BY_PROFILE:
        raise DocumentError(jail, "caps.profile", f"{profile!r} is not a profile", f"use one of {', '.join(PROFILES)}")
    if system and profile != "vps":
        raise DocumentError(
            jail, "caps.profile", f"a jail with init: system cannot boot under the profile {profile}", "use vps"
        )
    seccomp = _filter(caps.get("seccomp") or "default", jail=jail)
    said = spread(caps.get("allow") or {})
    dropped = frozenset(canonical_capability(name) for name in caps.get("drop") or ())
    permissions = {**_permissions_of(profile, dropped), **said}
    open_to_all = _sum_up(profile, keep=caps.get("keep") or (), drop=caps.get("drop") or (), jail=jail)
    if administers:
        open_to_all |= NETWORK_CAPABILITIES - dropped
    _refuse_contradictions(caps, said, open_to_all, seccomp=seccomp, jail=jail)
    refused = frozenset(name for name, given in permissions.items() if not given)
    allowed = frozenset(name for name, given in permissions.items() if given)
    withheld = _unconfined(allowed, open_to_all) if seccomp in _NOT_OURS else frozenset()
    allowed -= withheld
    if caps.get("user_namespace") is False:
        from . import host_root

        host_root.refuse(caps, jail, profile=profile, seccomp=seccomp, administers=administers, network=network)
        withheld = host_root.beyond(open_to_all | allowed)
        open_to_all, allowed = open_to_all - withheld, allowed - withheld
    brought = _union(PERMISSIONS[name].capabilities for name in allowed)
    taken = _union(taken_with(name) for name in refused)
    rootless = "suser" in refused
    no_new_privileges = caps.get("no_new_privileges")
    return Privileges(
        profile=profile,
        capabilities=frozenset() if rootless else open_to_all.difference(taken).union(brought),
        confined=frozenset() if rootless else brought & _NARROWED - open_to_all,
        allowed=allowed,
        refused=refused,
        securebits=("noroot",) if rootless else tuple(caps.get("securebits") or ()),
        # sudo, su and ping of a whole distribution need their set-user-id bits and file capabilities.
        no_new_privileges=profile != "vps" if no_new_privileges is None else bool(no_new_privileges),
        seccomp=seccomp,
        user_namespace=caps.get("user_namespace") is not False,
        withheld=withheld,
    )


def has_user_namespace(document: Mapping[str, Any]) -> bool:
    """Whether the users of a jail are its own; without, its root is the host's."""
    return (document.get("caps") or {}).get("user_namespace") is not False


def _filter(asked: Any, *, jail: str) -> str:
    if isinstance(asked, Mapping) or asked.startswith("/"):
        return OWN_PROFILE
    if asked in SECCOMP:
        return str(asked)
    raise DocumentError(jail, "caps.seccomp", f"{asked!r} is not a filter", f"use one of {', '.join(SECCOMP)}")


def _permissions_of(profile: str, dropped: frozenset[str]) -> dict[str, bool]:
    """What a profile says of permissions, without those that an operator's drop makes void."""
    own = spread(_ALLOWED_BY_PROFILE.get(profile, {}))
    return {name: given for name, given in own.items() if not (given and PERMISSIONS[name].capabilities & dropped)}


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset(chain.from_iterable(sets))


# Worth far more than any permission that takes it: the filter opens but that permission's own calls.
_NARROWED = frozenset({"SYS_ADMIN"})


def _unconfined(permissions: Iterable[str], open_to_all: frozenset[str]) -> frozenset[str]:
    """Those permissions that without our filter would bring far more than themselves."""
    return frozenset(name for name in permissions if PERMISSIONS[name].capabilities & _NARROWED - open_to_all)


def _refuse_contradictions(
    caps: Mapping[str, Any], said: Mapping[str, bool], open_to_all: frozenset[str], *, seccomp: str, jail: str
) -> None:
    """DocumentError for a permission that another option takes back, and for one that nothing would confine."""
    for name, given in said.items():
        needed = PERMISSIONS[name].capabilities
        path = f"caps.allow.{name}"
        option = "drop" if given else "keep"
        for other in sorted(needed.intersection(map(canonical_capability, caps.get(option) or ()))):
            raise DocumentError(jail, path, f"{other} is in caps.{option}", "take it out of one of the two")
        if given and seccomp in _NOT_OURS and _unconfined((name,), open_to_all):
            raise DocumentError(jail, path, UNCONFINED, "leave caps.seccomp out")


def owns_network(document: Mapping[str, Any]) -> bool:
    """Whether the user namespace of a jail owns its network, by its effective document.

    Only then do the network's capabilities count in the jail, and low ports take one (network_namespaces(7)).
    """
    if document["caps"]["profile"] == "vps" or document.get("ip", {}).get("admin"):
        return True
    privileges = privileges_of(document)
    capable = bool(privileges.capabilities & NETWORK_CAPABILITIES)
    return capable or (privileges.user_namespace and "reserved_ports" in privileges.refused)


def canonical_capability(name: str) -> str:
    """``CHOWN`` for ``CAP_CHOWN``, ``cap_chown`` and ``chown``; does not check that there is such a capability."""
    upper = str(name).strip().upper()
    return upper[len("CAP_") :] if upper.startswith("CAP_") else upper


def _sum_up(profile: str, *, keep: Collection[str], drop: Collection[str], jail: str) -> frozenset[str]:
    kept = [_known(name, path=f"caps.keep[{index}]", jail=jail) for index, name in enumerate(keep)]
    dropped = [_known(name, path=f"caps.drop[{index}]", jail=jail) for index, name in enumerate(drop)]
    for index, name in enumerate(kept):
        if name in _HOST_ONLY:
            raise DocumentError(
                jail, f"caps.keep[{index}]", f"{name} cannot be kept: {_HOST_ONLY[name]}", "take it out of the list"
            )
        if name in dropped:
            raise DocumentError(
                jail, f"caps.keep[{index}]", f"{name} is also in caps.drop", "take it out of one of the two lists"
            )
    return _KEPT_BY_PROFILE[profile].union(kept).difference(dropped)


def _known(name: str, *, path: str, jail: str) -> str:
    canonical = canonical_capability(name)
    if canonical in CAPABILITIES:
        return canonical
    raise DocumentError(jail, path, f"{name!r} is not a capability", _nearest(canonical))


def _nearest(name: str) -> str:
    # Only on the way to an error: the import costs more than the rest of this file.
    from difflib import get_close_matches

    matches = get_close_matches(name, sorted(CAPABILITIES), n=1)
    return f"did you mean {matches[0]}?" if matches else "capabilities(7) lists them"
