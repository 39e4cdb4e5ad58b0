# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# What the executor can do; the order of a plan is the planner's.
KINDS = (
    "document.write",
    "document.remove",
    "rootfs.create",
    "rootfs.reset",
    "rootfs.restore",
    "rootfs.forget",
    "rootfs.remove",
    "firewall.change",
    "firewall.remove",
    "network.create",
    "network.change",
    "network.remove",
    "limits.set",
    "devices.change",
    "jail.start",
    "jail.stop",
    "jail.freeze",
    "jail.thaw",
    "option.defer",
)


@dataclass(frozen=True)
class Action:
    """One step of a plan.

    ``kind`` is one of KINDS, ``effect`` what it costs (live, restart, rebuild), ``path`` the option that it is about.
    ``arguments`` is all that the executor needs besides the jail's name:

    * document.write: ``document`` (canonical)
    * rootfs.create, rootfs.reset: ``source`` (canonical); rootfs.reset: ``keep`` (whether what it replaces is kept)
    * rootfs.restore: ``source`` of the kept one, which comes back
    * firewall.change: ``document`` (effective)
    * network.create, network.change: ``document`` (effective), ``occupied`` (whether processes live in the network)
    * limits.set: ``limits`` (canonical, all that are to be in force)
    * devices.change: ``document`` (effective)
    * jail.start: ``document`` (effective)
    * jail.stop: ``document`` (effective; empty when there is none), ``restart`` (whether a start follows)
    * the others: nothing
    """

    kind: str
    jail: str
    effect: str
    path: str = ""
    summary: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """The action as one line of a result's ``actions``."""
        text = f"{self.kind} {self.jail}"
        return f"{text}: {self.summary}" if self.summary else text


@dataclass(frozen=True)
class Plan:
    """What leads from what is to what is wanted.

    ``actions`` are in the order to be carried out. ``reasons`` are the differences that only a restart brings into
    force; ``restart_required`` says that they still wait for one. ``before`` and ``after`` are canonical documents,
    None where there is none, ``state_before`` and ``state_after`` the states of the jail that go with them.
    ``warnings`` are of what it goes on without.
    """

    jail: str
    actions: tuple[Action, ...] = ()
    restart_required: bool = False
    reasons: tuple[str, ...] = ()
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    state_before: str = "absent"
    state_after: str = "absent"
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether carrying it out changes anything: what waits for a restart does not."""
        return any(action.kind != "option.defer" for action in self.actions)

    def lines(self) -> list[str]:
        """The actions as a module returns them."""
        return [action.line() for action in self.actions]
