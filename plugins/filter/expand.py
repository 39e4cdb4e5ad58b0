# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: expand
short_description: Expand ranges in the names of jails
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Writes out what M(hosting.jails.jail_fleet) makes of ranges such as C(web[1:50]), to loop over it, or to use it
    elsewhere.
  - A range is C([1:50]), C([01:50]) with numbers of one width, C([1:50:2]) with a step, or C([a:f]), and includes both
    ends. It holds at most 10,000 elements.
  - In a document whose C(name) holds a range, ranges in C(hostname), C(workdir), C(depends), the values of
    C(environment) and C(labels), C(source) of C(mounts), and C(addresses), C(mac) and C(forwards) of C(ip) are counted
    through together with it, so they must be of the same length. All else is taken as it is.
options:
  _input:
    description:
      - Documents or names of jails, or a single one.
    type: raw
    required: true
"""

EXAMPLES = r"""
---
- name: Names of jails
  ansible.builtin.debug:
    msg: "{{ ['web[01:03]', 'db[a:b]', 'mail'] | hosting.jails.expand }}"  # web01, web02, web03, dba, dbb, mail

- name: Addresses of all web servers, for the load balancer
  ansible.builtin.debug:
    msg: "{{ jails | hosting.jails.expand | map(attribute='ip.addresses') | flatten }}"
  vars:
    jails:
      - name: web[1:3]
        ip: {mode: vnet, addresses: ['10.20.0.[11:13]/32']}
"""

RETURN = r"""
---
_value:
  description: The documents or names, one for each jail.
  type: list
  sample: [web1, web2, web3]
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._model.errors import DocumentError
from ..plugin_utils._entries import expand_entries


def expand(entries: Any) -> list[Any]:
    """All that the entries stand for."""
    try:
        return list(expand_entries(entries))
    except DocumentError as error:
        raise AnsibleFilterError(f"hosting.jails.expand: {error}") from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"expand": expand}
