# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

# hier(7): configuration that an operator may read, state that outlives a boot, state that does not, logs.
DOCUMENTS = "/etc/jails"
STATE = "/var/lib/jails"
RUNTIME = "/run/jails"
LOGS = "/var/log/jails"
CGROUP = "jails"
# jailctl answers to these as well, each a command of its own.
OTHER_NAMES = ("chbind", "chcontext", "jexec", "jls", "reducecap", "vserver", "vserver-stat")
# Commands that chbind has bound to addresses; no jail has such a name.
BOUND = f"{CGROUP}/.bound"
# Contexts of chcontext by their numbers.
CONTEXTS = f"{CGROUP}/.contexts"
# What a process of ours is called while it is on its way into a jail, up to the exec of what it becomes.
ENTERING = "entering-jail"

# Not NAME.json, so no document.
HOST = f"{DOCUMENTS}/host.conf"
RESERVATIONS = f"{RUNTIME}/.addresses.json"
ALLOCATIONS = f"{STATE}/allocations.json"
SUPERVISOR_SOCKET = f"{RUNTIME}/supervisor.sock"


def document(name: str) -> str:
    """The jail document on disk."""
    return f"{DOCUMENTS}/{name}.json"


def runtime(name: str) -> str:
    """Directory of what is true of a jail until the host's next boot."""
    return f"{RUNTIME}/{name}"


def state(name: str) -> str:
    """What the engine did last to a jail, and the pid of its init."""
    return f"{RUNTIME}/{name}/state.json"


def ending(name: str) -> str:
    """How the jail's last life in this boot ended."""
    return f"{RUNTIME}/{name}/ended.json"


def started_document(name: str) -> str:
    """The effective document that the running jail was started with."""
    return f"{RUNTIME}/{name}/started.json"


def ceiling(name: str) -> str:
    """The privileges that the running jail's init was given; those of every process that enters it."""
    return f"{RUNTIME}/{name}/ceiling.json"


def namespace(name: str, kind: str) -> str:
    """Where a namespace (``user`` or ``net``) is pinned."""
    return f"{RUNTIME}/{name}/ns/{kind}"


def rules(name: str) -> str:
    """Mark of a jail that has, or may have, something in the host's packet filter."""
    return f"{RUNTIME}/{name}/rules"


def addresses(name: str) -> str:
    """The addresses that the engine has put on links of the host for a jail (mode shared)."""
    return f"{RUNTIME}/{name}/addresses.json"


def device_stage(name: str) -> str:
    """Where nodes for a jail's /dev are made, in a mount namespace that nobody else is in."""
    return f"{RUNTIME}/{name}/devices"


def output(name: str) -> str:
    """FIFO that carries what the jail's init prints."""
    return f"{RUNTIME}/{name}/output"


def syslog(name: str) -> str:
    """Directory of the socket that is the jail's /dev/log; there is one if it was started with ``syslog``."""
    return f"{RUNTIME}/{name}/syslog"


def lock(name: str) -> str:
    """Lock of one jail."""
    return f"{RUNTIME}/{name}.lock"


def log(name: str) -> str:
    """Log of what the jail's init printed."""
    return f"{LOGS}/{name}.log"


def cgroup(name: str) -> str:
    """Path of the jail's control group in every hierarchy."""
    return f"{CGROUP}/{name}"
