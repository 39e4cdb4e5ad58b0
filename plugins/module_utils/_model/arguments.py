# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .options import argument_spec
from .wanted import APPLY, WANTED_STATES

# What jail_info may be asked to gather.
GATHER = ("status", "processes", "resources", "network", "privileges", "disk", "document", "templates")

_ROOTFS_STATES = ("present", "latest", "reset", "previous", "absent")
_APPLY_SPEC: dict[str, Any] = {"apply": {"type": "str", "choices": list(APPLY), "default": "live"}}
_JAIL_SPEC: dict[str, Any] = {"jail": {"type": "str", "required": True}}


@dataclass(frozen=True)
class Arguments:
    """What a module takes: its argument_spec, and what else AnsibleModule and ArgumentSpecValidator know of arguments,
    by the names of their parameters."""

    options: dict[str, Any]
    rules: dict[str, Any] = field(default_factory=dict)


def arguments_of(module: str) -> Arguments:
    """The arguments of a module, for itself and for its action plugin, which reads them on the controller."""
    if module == "jail_fleet":
        from .fleet_options import FLEET_NEEDS, FLEET_SPEC

        return Arguments(FLEET_SPEC, {"required_if": FLEET_NEEDS})
    return _ARGUMENTS[module]


_ARGUMENTS = {
    "jail": Arguments(
        {
            **argument_spec("jail"),
            **_APPLY_SPEC,
            "state": {"type": "str", "choices": list(WANTED_STATES), "default": "started"},
        }
    ),
    "jail_ip": Arguments({**argument_spec("ip"), **_APPLY_SPEC, **_JAIL_SPEC}),
    "jail_caps": Arguments(
        {
            **argument_spec("caps"),
            **_APPLY_SPEC,
            **_JAIL_SPEC,
            "state": {"type": "str", "choices": ["present"], "default": "present"},
            "verify": {"type": "bool", "default": False},
        }
    ),
    "jail_rootfs": Arguments(
        {
            **argument_spec("rootfs"),
            **_APPLY_SPEC,
            "jail": {"type": "str"},
            "template": {"type": "str"},
            "state": {"type": "str", "choices": list(_ROOTFS_STATES), "default": "present"},
            "keep_previous": {"type": "bool"},
            "generation": {"type": "str"},
            "keep_newer": {"type": "bool", "default": False},
        },
        {
            "mutually_exclusive": [("jail", "template"), ("jail", "generation"), ("source", "generation")],
            "required_one_of": [("jail", "template")],
        },
    ),
    "jail_info": Arguments(
        {
            "names": {"type": "list", "elements": "str"},
            "labels": {"type": "dict", "default": {}},
            "gather": {"type": "list", "elements": "str", "choices": list(GATHER), "default": ["status"]},
        }
    ),
}
