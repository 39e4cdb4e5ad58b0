# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: by_dependency
short_description: Sort jails by what they depend on
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Sorts rows of M(hosting.jails.jail_info) so that each jail comes after all that it depends on. Where that leaves a
    choice, the names decide.
options:
  _input:
    description:
      - Rows with C(name) and C(depends). What a jail depends on need not be among them.
    type: list
    elements: dict
    required: true
  stopping:
    description:
      - Whether the order is that in which to stop them, each jail before all that it depends on.
    type: bool
    default: false
"""

EXAMPLES = r"""
---
- name: Names in the order in which they can be started
  ansible.builtin.debug:
    msg: "{{ host.jails | hosting.jails.by_dependency | map(attribute='name') }}"
"""

RETURN = r"""
---
_value:
  description: The same rows.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._model.errors import DocumentError
from ..plugin_utils._waves import by_dependency


def ordered(rows: Any, stopping: bool = False) -> list[Mapping[str, Any]]:
    """The very rows, in their order."""
    if not isinstance(rows, (list, tuple)) or not all(isinstance(row, Mapping) and "name" in row for row in rows):
        raise AnsibleFilterError("hosting.jails.by_dependency takes a list of jails, each with its name")
    try:
        return by_dependency(rows, stopping=bool(stopping))
    except DocumentError as error:
        raise AnsibleFilterError(f"hosting.jails.by_dependency: {error}") from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"by_dependency": ordered}
