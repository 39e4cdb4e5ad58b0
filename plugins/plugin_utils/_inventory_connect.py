# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._inventory_answers import Answer


def connection_variables(found: Mapping[str, Any], answer: Answer, *, connect: str) -> dict[str, Any]:
    """The ``ansible_`` variables by which plays reach a jail; ``connect`` is the option of that name."""
    if connect == "ssh" and found["jail_ip"]:
        return {"ansible_host": found["jail_ip"]}
    if connect != "jail" or answer.way is None:
        return {}
    return {"ansible_connection": "hosting.jails.jail", "ansible_jail_name": found["jail_name"]}
