# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .options_caps import CAPS
from .options_ip import IP
from .options_jail import JAIL_OPTIONS
from .options_rootfs import ROOTFS
from .shapes import LIVE, REBUILD, Option, Record

# The sections of the document that have a module of their own; all other options are those of the module jail.
SECTIONS: dict[str, Record] = {"rootfs": ROOTFS, "ip": IP, "caps": CAPS}
PARTS = ("jail", *SECTIONS)

# The one table of all options: schema, argument_spec, documentation, checks and comparison are all made from it.
DOCUMENT = Record(
    *JAIL_OPTIONS,
    Option("rootfs", ROOTFS, "The root file system of the jail.", effect=REBUILD),
    Option("ip", IP, "Addresses and network of the jail.", effect=LIVE),
    Option("caps", CAPS, "What the jail's root may do."),
)


def options_of(part: str) -> tuple[Option, ...]:
    """The rows that a part (jail, rootfs, ip, caps) owns, as its module offers them."""
    return JAIL_OPTIONS if part == "jail" else SECTIONS[part].options


def argument_spec(part: str) -> dict[str, Any]:
    """The argument_spec of a part's options; the module adds its own (``jail``, ``state``, ``apply``)."""
    return {option.name: option.argument_spec() for option in options_of(part)}


def given(part: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The piece of a document that a task says, from the parameters of its module.

    AnsibleModule fills every option that was not said with None; an empty one was said, to clear it.
    """
    names = [option.name for option in options_of(part)]
    said = {name: parameters[name] for name in names if parameters.get(name) is not None}
    if part == "jail":
        return said
    return {part: said} if said else {}


def json_schema() -> dict[str, Any]:
    """JSON Schema (Draft 2020-12) of a whole jail document, without references to anything outside."""
    definitions: dict[str, Any] = {}
    document = DOCUMENT.schema(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "jail document",
        **document,
        "$defs": dict(sorted(definitions.items())),
    }
