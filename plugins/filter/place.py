# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: place
short_description: Place jails on hosts
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Says which jail goes to which host, by nothing but their names and what is said of the hosts. Whoever asks with the
    same jails and hosts gets the same answer, so nothing has to be stored.
  - Jails are spread evenly, or by O(hosts.weight). No host is given more than its O(hosts.capacity).
  - A host that comes takes its share of the jails from all the others, a host that goes leaves its own to all the
    others, and no jail moves between two hosts that stay. A jail that comes or goes moves no other. Only where a host
    is full, or where failure domains keep a balance, can it be that a few more jails move.
  - With O(hosts.domain), the jails of one service are dealt out to the failure domains, so that no domain has two more
    of them than another. A domain that comes or goes moves little more than the jails that it must.
options:
  _input:
    description:
      - The jails, as documents or as names. A range in a name stands for all its jails, as for
        M(hosting.jails.jail_fleet).
      - A number stands for that many nameless jails, C(1), C(2) and so on.
    type: raw
    required: true
  hosts:
    description:
      - The hosts, as a list of names, or as a mapping of names to what is said of them, which can be nothing.
    type: raw
    required: true
    suboptions:
      weight:
        description:
          - How many jails the host gets compared to others. Only without failure domains, or within one.
        type: float
        default: 1
      domain:
        description:
          - What fails together with the host, for example its rack. If only some hosts have one, each of the others is
            a domain of its own.
        type: str
      capacity:
        description:
          - How many jails the host takes; with O(size) the sum of those, for example V(64G).
        type: raw
  spread:
    description:
      - Where in a document stands what service a jail belongs to, for example V(labels.service).
      - The default, also for a document that does not say it, is the jail's name without the number at its end.
    type: str
  size:
    description:
      - Where in a document stands how much of a host's capacity the jail takes, for example V(limits.memory).
      - The default is that a jail is a jail.
    type: str
seealso:
  - module: hosting.jails.jail_fleet
"""

EXAMPLES = r"""
---
- name: Give each host its jails
  hosting.jails.jail_fleet:
    jails: "{{ (all_jails | hosting.jails.place(groups['jail_hosts']))[inventory_hostname] }}"
  vars:
    all_jails:
      - name: web[1:40]
        ip: {mode: vnet, addresses: ['10.20.0.[1:40]/32']}
      - name: db[1:4]
        ip: {mode: vnet, addresses: ['10.20.1.[1:4]/32']}

- name: Spread over racks, with twice as many on the large hosts, and no host's memory overbooked
  hosting.jails.jail_fleet:
    jails: "{{ (all_jails | hosting.jails.place(hosts, size='limits.memory'))[inventory_hostname] }}"
  vars:
    hosts:
      host1: {domain: rack1, capacity: 64G}
      host2: {domain: rack1, capacity: 128G, weight: 2}
      host3: {domain: rack2, capacity: 128G, weight: 2}
    all_jails:
      - name: web[1:40]
        limits: {memory: 1G}
        ip: {mode: vnet, addresses: ['10.20.0.[1:40]/32']}
"""

RETURN = r"""
---
_value:
  description: For each host the list of its jails, as they were given, in the order of the input.
  type: dict
  sample:
    host1: [web2, web3]
    host2: [web1]
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._model.errors import DocumentError
from ..plugin_utils._placement_input import place_jails


def place(jails: Any, hosts: Any, spread: str | None = None, size: str | None = None) -> dict[str, list[Any]]:
    """The jails of each host."""
    try:
        return place_jails(jails, hosts, spread=spread, size=size)
    except (DocumentError, ValueError) as error:
        raise AnsibleFilterError(f"hosting.jails.place: {error}") from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"place": place}
