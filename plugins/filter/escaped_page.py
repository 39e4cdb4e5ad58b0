# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: escaped_page
short_description: Make an HTML page of a template, with every value escaped
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Renders a Jinja template in an environment of its own, which escapes each value for HTML, whoever has written it.
    Ansible's own templates do not, not even within C({% autoescape true %}).
  - In such a template there is nothing but Jinja's own filters, C(content_hash), and the variables that it is given. A
    variable that it is not given is an error.
  - C(content_hash) turns an inline script or style into the hash source by which a Content-Security-Policy allows just
    that one.
options:
  _input:
    description:
      - The variables of the template.
    type: dict
    required: true
  template:
    description:
      - The template, its text and not its name.
    type: str
    required: true
"""

EXAMPLES = r"""
---
- name: A page on which the name of a jail cannot be more than a name
  ansible.builtin.copy:
    content: "{{ {'names': ['web1', '<script>']} | hosting.jails.escaped_page('<p>{{ names | join(\", \") }}</p>') }}"
    dest: /srv/www/jails.html
    mode: '0644'
"""

RETURN = r"""
---
_value:
  description: The page.
  type: str
  sample: <p>web1, &lt;script&gt;</p>
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from jinja2 import Environment, StrictUndefined, TemplateError

try:
    from ansible.utils.unsafe_proxy import wrap_var
except ImportError:

    def wrap_var(value: Any) -> Any:
        """Cores without this module template nothing that is not marked as trusted."""
        return value


def content_hash(content: str) -> str:
    """Make ``sha256-...`` of what stands between two tags (CSP level 3, hash-source)."""
    digest = hashlib.sha256(str(content).encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def escaped_page(variables: Any, template: str) -> Any:
    """The page; never templated again."""
    if not isinstance(variables, Mapping):
        raise AnsibleFilterError("hosting.jails.escaped_page takes a mapping of variables")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["content_hash"] = content_hash
    try:
        return wrap_var(environment.from_string(str(template)).render(dict(variables)))
    except TemplateError as error:
        raise AnsibleFilterError(f"hosting.jails.escaped_page: {error}") from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"escaped_page": escaped_page}
