# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: fleet_report
short_description: What there is to say of a fleet, its problems first
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Makes one report of what M(hosting.jails.jail_info) returned on many hosts, for a table or a page.
  - What hosts and jails say of themselves is data and nothing else. Whatever is not of the type that it should be is
    left out, and control characters are replaced.
  - It does not escape anything for HTML, P(hosting.jails.escaped_page#filter) does.
options:
  _input:
    description:
      - One mapping a host. C(name) is the host's, C(answer) the result of M(hosting.jails.jail_info) with C(resources),
        C(disk) and C(templates), also one that failed or could not reach the host.
      - C(earlier) is an answer of some time before, for the use of processors in between, C(facts) are those of
        M(ansible.builtin.setup) without their prefix, and C(drained) says whether the host is drained. These three may
        be left out.
    type: list
    elements: dict
    required: true
  warn:
    description:
      - Percentage of a limit from which on its use is a problem.
    type: float
    default: 90
seealso:
  - module: hosting.jails.jail_info
"""

EXAMPLES = r"""
---
- name: Names of the jails that have failed, on all hosts
  ansible.builtin.debug:
    msg: "{{ (seen | hosting.jails.fleet_report).jails | selectattr('state', 'eq', 'failed') | map(attribute='name') }}"
  run_once: true
  vars:
    seen:
      - name: node1
        answer: "{{ hostvars['node1'].answer }}"
"""

RETURN = r"""
---
_value:
  description:
    - C(summary) counts hosts, jails by state, and problems by level.
    - C(problems) have a C(level) (V(critical), V(warning), V(notice)), C(host), C(jail) (empty for one of the host
      itself, several names where jails of the host have the same problem), C(what) and C(detail).
    - C(hosts) and C(jails) are rows, those with the worst problems first.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils._report import report

try:
    from ansible.utils.unsafe_proxy import wrap_var
except ImportError:

    def wrap_var(value: Any) -> Any:
        """Cores without this module template nothing that is not marked as trusted."""
        return value


def fleet_report(seen: Any, warn: float = 90.0) -> Any:
    """The report; never templated again, whatever jails have put into their names and labels."""
    if not isinstance(seen, (list, tuple)) or not all(isinstance(host, dict) for host in seen):
        raise AnsibleFilterError("hosting.jails.fleet_report takes a list of mappings, one a host")
    return wrap_var(report(seen, warn=float(warn)))


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"fleet_report": fleet_report}
