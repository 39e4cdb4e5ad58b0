# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: in_waves
short_description: Cut a list into waves
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Cuts a list into lists, as the keyword C(serial) of a play cuts its hosts.
options:
  _input:
    description:
      - What is to be cut. Its order is kept.
    type: list
    elements: raw
    required: true
  sizes:
    description:
      - Sizes of the waves, each a number or a share of the whole such as V(25%), rounded up. The last one holds for all
        further waves.
    type: list
    elements: raw
    required: true
"""

EXAMPLES = r"""
---
- name: One jail first, then quarters
  ansible.builtin.debug:
    msg: "{{ ['a', 'b', 'c', 'd', 'e'] | hosting.jails.in_waves([1, '25%']) }}"  # [[a], [b, c], [d, e]]
"""

RETURN = r"""
---
_value:
  description: The waves.
  type: list
  elements: list
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils._waves import in_waves


def waves(items: Any, sizes: Any) -> list[list[Any]]:
    """The list in waves."""
    sizes = sizes if isinstance(sizes, (list, tuple)) else [sizes]
    if not isinstance(items, (list, tuple)):
        raise AnsibleFilterError("hosting.jails.in_waves takes a list")
    try:
        return in_waves(items, sizes)
    except ValueError as error:
        raise AnsibleFilterError(f"hosting.jails.in_waves: {error}") from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"in_waves": waves}
