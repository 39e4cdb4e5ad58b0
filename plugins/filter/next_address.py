# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: next_address
short_description: Find the next free addresses of a network
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Returns the lowest address of a network, or of the first of several that has one left, that is not taken.
  - Neither the address of the network itself nor its broadcast address is ever returned.
  - It knows what it is told and asks no host. Whether an address is free on all hosts of a play is checked by
    M(hosting.jails.jail_fleet) as well.
options:
  _input:
    description:
      - The network, for example V(10.20.0.0/24) or V(fd00:20::/64), or a list of them, which are used in that order.
    type: raw
    required: true
  taken:
    description:
      - What is taken, in lists of any depth. Addresses with or without a prefix, networks, which are left out as a
        whole, and documents of jails, which stand for their addresses.
    type: list
    elements: raw
    default: []
  count:
    description:
      - How many addresses to return. The default is a single one, and not a list of one.
    type: int
seealso:
  - module: hosting.jails.jail_fleet
"""

EXAMPLES = r"""
---
- name: An address for one more jail
  ansible.builtin.debug:
    msg: "{{ '10.20.0.0/24' | hosting.jails.next_address(jails) }}"  # 10.20.0.2/32
  vars:
    jails:
      - name: web1
        ip: {mode: vnet, addresses: [10.20.0.1/32]}

- name: Three of either family, besides the first 16
  ansible.builtin.debug:
    msg: >-
      {{ '10.20.0.0/24' | hosting.jails.next_address(['10.20.0.0/28'], count=3)
         | zip('fd00:20::/64' | hosting.jails.next_address(['fd00:20::/124'], count=3)) }}
"""

RETURN = r"""
---
_value:
  description: An address with the prefix of a single one, or with O(count) a list of them in ascending order.
  type: raw
  sample: 10.20.0.2/32
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._model.errors import DocumentError
from ..plugin_utils._free_addresses import free_addresses


def next_address(pool: Any, taken: Any = (), count: int | None = None) -> str | list[str]:
    """The next free address, or ``count`` of them."""
    try:
        found = free_addresses(pool, taken, 1 if count is None else int(count))
    except (DocumentError, ValueError) as error:
        raise AnsibleFilterError(f"hosting.jails.next_address: {error}") from error
    return found[0] if count is None else found


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"next_address": next_address}
