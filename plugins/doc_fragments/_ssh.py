# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not use it in other collections.
from __future__ import annotations

from typing import Any

from ansible.module_utils.common.yaml import yaml_dump, yaml_load
from ansible.plugins.connection.ssh import DOCUMENTATION as _SSH

# Releases of ansible-core, which would be taken for ours.
_OF_CORE = ("version_added", "deprecated")


def _options() -> dict[str, Any]:
    """The options of the ssh plugin of whatever ansible-core this is: a copy of them would be out of date with the
    next release, and its code asks for each of them."""
    options: dict[str, Any] = _stripped(yaml_load(_SSH)["options"])
    return options


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(item) for key, item in value.items() if key not in _OF_CORE}
    return [_stripped(item) for item in value] if isinstance(value, list) else value


class ModuleDocFragment:
    # With a type: ansible-test takes every other assignment here for one of a text, and lints that.
    DOCUMENTATION: str = yaml_dump({"options": _options()})
