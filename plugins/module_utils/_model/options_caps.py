# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from .profiles import PROFILES, SECCOMP
from .scalars import BOOLEAN, Choice
from .shapes import ListOf, Option, Record
from .values import CAPABILITY

CAPS = Record(
    Option(
        "profile",
        Choice(*PROFILES, later=("freebsd", "secure")),
        [
            "The capabilities that the jail's root has inside its user namespace.",
            "V(none) is a root without any power.",
            "V(service) is what servers need that open low ports and change to users of their own.",
            "V(vps) is everything that is safe inside a user namespace, for jails that boot a whole distribution.",
            "The default is V(service), and V(vps) for a jail with C(init=system).",
        ],
    ),
    Option("keep", ListOf(CAPABILITY, unique=True), "Capabilities to have besides those of the profile."),
    Option("drop", ListOf(CAPABILITY, unique=True), "Capabilities of the profile to be without."),
    Option(
        "no_new_privileges",
        BOOLEAN,
        "Whether programs with set-user-id bits or file capabilities get no more power than their caller. The default"
        " is V(true), and V(false) with O(profile=vps).",
    ),
    Option(
        "seccomp",
        Choice(*SECCOMP),
        "Filter of system calls: the collection's own, or none.",
        default=SECCOMP[0],
    ),
    Option(
        "user_namespace",
        BOOLEAN,
        "Whether ids of the jail are other ids on the host. V(false) is not available yet.",
        default=True,
    ),
    later=("allow", "devices"),
)
