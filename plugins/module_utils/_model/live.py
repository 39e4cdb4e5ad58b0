# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STATES = ("absent", "stopped", "running", "frozen", "failed", "stuck")


@dataclass(frozen=True)
class NetworkLive:
    """The network that a jail has of its own (modes vnet and none), or of the host's (shared), as seen in the kernel.

    ``addresses`` are canonical, with their prefix; those that the kernel or the engine adds by itself are left out.
    ``up`` is False when anything else is missing that the document in force asks for. ``own_user_namespace`` says
    whether the jail's user namespace owns the stack (profile vps) or the host's does; None if that was not looked at.
    """

    mode: str
    addresses: tuple[str, ...] = ()
    mtu: int | None = None
    up: bool = True
    own_user_namespace: bool | None = None


@dataclass(frozen=True)
class Live:
    """What is true of a jail on its host, whatever the documents say.

    ``state`` is one of STATES: ``stopped`` is defined and not running, ``failed`` has ended and will not be started
    again by its policy, ``stuck`` has processes that cannot be killed. ``started`` is the effective document that the
    running jail was started with. ``limits`` are those of the control group in canonical form, those that are at the
    kernel's default left out, and None when there is no group; ``unenforced`` names the limits that this host has no
    controller for, so that they never count as drift. ``rootfs`` is the canonical source that the root file system was
    made from, ``previous`` that of the one that was kept at its last reset. ``restart_pending`` says that the engine
    died between the stop and the start of a restart. ``firewall`` is what is wrong with what the jail has in the host's
    packet filter, a few words each, and None where no jail of the host has anything there. ``devices`` says whether a
    running jail is held to those of its document, None where this host holds no jail to any. ``detail`` says more about
    the state, for people.
    """

    state: str = "absent"
    started: Mapping[str, Any] | None = None
    limits: Mapping[str, Any] | None = None
    unenforced: tuple[str, ...] = ()
    network: NetworkLive | None = None
    rootfs: Mapping[str, Any] | None = None
    previous: Mapping[str, Any] | None = None
    restart_pending: bool = False
    firewall: tuple[str, ...] | None = None
    devices: bool | None = None
    detail: str = ""

    @property
    def alive(self) -> bool:
        """Whether the jail has an init that could be asked to stop."""
        return self.state in ("running", "frozen")

    @property
    def occupied(self) -> bool:
        """Whether there are processes in the jail that hold its namespaces and its root file system."""
        return self.alive or self.state == "stuck"
