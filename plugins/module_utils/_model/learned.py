# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The ``caps`` section under which a jail would have what it was seen to use, and nothing more."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from .permissions import PERMISSIONS
from .profiles import NETWORK_CAPABILITIES, Privileges, privileges_of

# What a section says anew; the rest of it stays as it is.
_LEARNED = frozenset({"profile", "keep", "drop", "allow", "no_new_privileges", "seccomp"})
# Its permission, mlock, lifts a limit besides.
_BEYOND_CAPABILITIES = frozenset({"IPC_LOCK"})
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


def section_for(
    document: Mapping[str, Any],
    used: Collection[str],
    *,
    strict: bool = False,
    no_new_privileges: bool | None = None,
) -> dict[str, Any]:
    """A ``caps`` section with these of a jail's capabilities, by its document as it is stored.

    ``strict`` takes the strict filter instead of the default one. ``no_new_privileges`` is by default what the jail has
    now. What the section says of other things, a filter of its own among them, stays.
    """
    now = privileges_of(document)
    caps = document.get("caps") or {}
    section = {
        **_capabilities(document, now, frozenset(used) & now.capabilities),
        **_permissions(now, frozenset(used)),
        **{name: value for name, value in caps.items() if name not in _LEARNED - {"seccomp"}},
    }
    if strict and now.seccomp == "default":
        section["seccomp"] = "strict"
    barred = now.no_new_privileges if no_new_privileges is None else no_new_privileges
    if barred != privileges_of({**document, "caps": section}).no_new_privileges:
        section["no_new_privileges"] = barred
    # An option that a task does not give stays as it is.
    for name in sorted(_LEARNED & caps.keys() - section.keys()):
        section[name] = barred if name == "no_new_privileges" else []
    return section


def _capabilities(document: Mapping[str, Any], now: Privileges, used: frozenset[str]) -> dict[str, Any]:
    if document.get("init") == "system":
        # Such a jail boots under no other profile.
        everything = privileges_of({"init": "system"}).capabilities
        return {"profile": "vps", "drop": sorted(everything - used)}
    found: dict[str, Any] = {"profile": "none", "keep": sorted(used - now.confined)}
    given = NETWORK_CAPABILITIES - used if (document.get("ip") or {}).get("admin") else frozenset()
    return {**found, "drop": sorted(given)} if given else found


def _permissions(now: Privileges, used: frozenset[str]) -> dict[str, Any]:
    """Those that are refused stay so, and those that are given stay where they are worth a capability that is used."""
    allow = dict.fromkeys(now.refused, False)
    for name in now.allowed:
        taken = PERMISSIONS[name].capabilities
        if not taken or taken & used & (now.confined | _BEYOND_CAPABILITIES):
            allow[name] = True
    return {"allow": dict(sorted(allow.items()))} if allow else {}


def to_yaml(section: Mapping[str, Any]) -> str:
    """A section as YAML, an option a line."""
    return "".join(f"{name}: {_flow(value)}\n" for name, value in section.items())


def _flow(value: Any) -> str:
    """A value in one line; what is no plain word is written as JSON, which is YAML too."""
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        # These words alone would be something else in YAML 1.1.
        return json.dumps(value) if value.lower() in ("yes", "no", "on", "off", "true", "false", "null") else value
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_flow(str(name))}: {_flow(one)}' for name, one in value.items())}}}"
    return json.dumps(value)
