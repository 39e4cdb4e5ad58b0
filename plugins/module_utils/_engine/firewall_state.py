# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What a jail has in the host's packet filter, and what is wrong with it. Most jails have nothing there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .._kernel import nfnetlink
from .._model.allocation import Allocation
from .._model.plan_firewall import has_rules
from . import places
from .host_facts import NOTHING_KNOWN, HostFacts

if TYPE_CHECKING:
    from .firewall_changes import Installed
    from .firewall_contents import Contents

TABLE = "hosting_jails"


class Table:
    """Our table as it is now, read once, and only as far as somebody asks: for who looks at many jails."""

    @cached_property
    def exists(self) -> bool:
        """Whether any jail has anything there."""
        return nfnetlink.has_table(TABLE)

    @cached_property
    def installed(self) -> Installed | None:
        """All that is in it."""
        return read()


def observe(jail: str, document: Mapping[str, Any] | None, facts: HostFacts = NOTHING_KNOWN) -> tuple[str, ...] | None:
    """What is wrong with what a jail has in the table; None where no jail has anything there. Changes nothing.

    ``document`` is the effective one whose rules are meant to hold, see in_force(). A jail that needs nothing and was
    never given anything costs a question to the kernel.
    """
    table = facts.table or Table()
    marked = os.path.exists(places.rules(jail))
    wants = document is not None and has_rules(document, beside_others=table.exists)
    if document is None or not wants:
        return ("leftovers",) if marked else (() if table.exists else None)
    from . import firewall_changes

    allocation = facts.find(jail)
    if allocation is None:
        return ("its rules",)
    return firewall_changes.drift(table.installed, jail, contents_of(document, allocation))


def read() -> Installed | None:
    """The table as it is, None where there is none."""
    from .._kernel import nftables
    from . import firewall_changes

    objects = nftables.read_table(TABLE)
    return None if objects is None else firewall_changes.parse(objects)


def contents_of(document: Mapping[str, Any], allocation: Allocation) -> Contents:
    """What an effective document asks for in the table."""
    from .firewall_contents import contents

    return contents(document, allocation.interface)
