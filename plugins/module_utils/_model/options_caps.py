# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Callable

from .host_paths import PATH
from .profiles import PROFILES, SECCOMP, SECUREBITS
from .scalars import BOOLEAN, Choice, Scalar, Schema
from .shapes import LIVE, ListOf, Option, Record
from .values import CAPABILITY, PERMISSIONS_ALLOWED, SECCOMP_FILTER


class _Rare(Scalar):
    """A value whose type is imported when a document says one, as few do."""

    def __init__(self, load: Callable[[], Scalar]) -> None:
        super().__init__(lambda value, place: load().parse(value, place), {}, ansible="raw")
        self._load = load

    def schema(self, definitions: Schema) -> Schema:
        return self._load().schema(definitions)


def _device() -> Scalar:
    from .options_devices import DEVICE_ENTRY

    return DEVICE_ENTRY


def _user_namespace() -> Scalar:
    from .options_ids import USER_NAMESPACE

    return USER_NAMESPACE


CAPS = Record(
    Option(
        "profile",
        Choice(*PROFILES),
        [
            "The capabilities that the jail's root has inside its user namespace.",
            "V(none) is a root without any power.",
            "V(service) is what servers need that open low ports and change to users of their own.",
            "V(freebsd) is what FreeBSD leaves a jailed superuser: V(service), with chroot, tracing, a host name that"
            " can be changed, and without System V IPC.",
            "V(secure) is the list of C(reducecap --secure) of Linux-VServer.",
            "V(vps) is everything that is safe inside a user namespace, for jails that boot a whole distribution.",
            "The default is V(service), and V(vps) for a jail with C(init=system).",
        ],
    ),
    Option("keep", ListOf(CAPABILITY, unique=True), "Capabilities to have besides those of the profile."),
    Option("drop", ListOf(CAPABILITY, unique=True), "Capabilities of the profile to be without."),
    Option(
        "allow",
        PERMISSIONS_ALLOWED,
        [
            "Permissions by the names of FreeBSD's jail(8), as a list of what is allowed (V([raw_sockets]), and"
            " V([nosysvipc]) for what is not) or as a mapping (V({raw_sockets: true, sysvipc: false})).",
            "Each brings or takes the capabilities, system calls and limits that it consists of. What a permission is"
            " worth on this kernel is in the report of M(hosting.jails.jail_caps).",
        ],
    ),
    Option(
        "no_new_privileges",
        BOOLEAN,
        "Whether programs with set-user-id bits or file capabilities get no more power than their caller. The default"
        " is V(true), and V(false) with O(profile=vps).",
    ),
    Option(
        "seccomp",
        SECCOMP_FILTER,
        [
            "Filter of system calls. V(default) is the collection's own, V(strict) the same without what ordinary"
            " services have no use for, V(none) none at all.",
            "A profile as Docker, Podman and OCI runtimes take it is read as it is, from its absolute path on the jail"
            " host (at every start) or as a mapping that is kept in the document.",
        ],
        default=SECCOMP[0],
    ),
    Option(
        "securebits",
        ListOf(Choice(*SECUREBITS), unique=True),
        "Flags of capabilities(7) to set and lock: V(noroot) makes root a user like any other for the kernel.",
    ),
    Option(
        "strict",
        BOOLEAN,
        "Refuse to define or start the jail where this kernel would give or withhold less than what is asked for here.",
        effect=LIVE,
        default=False,
    ),
    Option(
        "devices",
        ListOf(_Rare(_device), unique=True),
        [
            "What the jail has in C(/dev), and may open wherever a node of it is. Everything else is refused.",
            "V(minimal), which holds when no profile is named, is C(null), C(zero), C(full), C(random), C(urandom),"
            " C(tty) and terminals of the jail's own. V(none) is C(/dev/null) alone.",
            "A path adds that device of the host. A mapping says more: C(path); C(source) for a node of the host with"
            " another path, or C(type) (V(char) or V(block)), C(major) and C(minor) instead of it; C(access) (V(r),"
            " V(w) or V(rw), the default); C(mode), which is by default that of the host's node.",
            "What reaches beyond the jail, such as disks and memory, takes C(unsafe=true) as well.",
        ],
        effect=LIVE,
    ),
    Option(
        "masked_paths",
        ListOf(PATH, unique=True),
        "Files and directories that the jail finds empty, besides those of the kernel that it always does.",
    ),
    Option(
        "read_only_paths",
        ListOf(PATH, unique=True),
        "Files and directories that nobody in the jail can change, with all that is mounted below.",
    ),
    Option(
        "user_namespace",
        _Rare(_user_namespace),
        [
            "The ids of the host that the jail's users have. V(true) takes 65536 that nobody else has.",
            "A mapping fixes them: C(base) is the host's id of the jail's root, C(size) how many there are, 65536 by"
            " default. Both are multiples of 65536. They are chosen once, when the jail is defined.",
            "V(false) is no user namespace at all, as VServer had none: root in the jail is the host's root.",
        ],
        effect=LIVE,
        default=True,
    ),
)
