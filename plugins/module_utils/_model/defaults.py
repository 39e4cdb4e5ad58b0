# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .options import DOCUMENT
from .shapes import ListOf, MapOf, Option, Record, Type


def effective(document: Mapping[str, Any]) -> dict[str, Any]:
    """A canonical document with every default filled in: what the engine starts a jail from.

    Lists, mappings and sections are always there, and so is every option that has a default. Absent stay only
    options that mean "no limit" or "the host's" when they are not said (``limits.*``, ``ip.mtu``, ``ip.mac``,
    ``rootfs.source``, a mount's ``source`` and ``size``...). Filling in twice changes nothing.
    """
    full = _filled(DOCUMENT, document)
    system = full["init"] == "system"
    full.setdefault("hostname", full["name"])
    # SIGRTMIN+3 is what systemd halts on (systemd(1), SIGNALS); sysvinit in a jail needs stop.signal said.
    full["stop"].setdefault("signal", "SIGRTMIN+3" if system else "SIGTERM")
    full["caps"].setdefault("profile", "vps" if system else "service")
    # A whole distribution needs its set-user-id programs.
    full["caps"].setdefault("no_new_privileges", full["caps"]["profile"] != "vps")
    return full


def _filled(record: Record, values: Mapping[str, Any]) -> dict[str, Any]:
    options = [option for option in record.options if option.name in values or _has_default(option, record)]
    return {option.name: _value(option, values) for option in options}


def _has_default(option: Option, record: Record) -> bool:
    if record.one_of or _is_choice_of_options(option.type):
        return False
    return option.default is not None or isinstance(option.type, (ListOf, MapOf, Record))


def _is_choice_of_options(type: Type) -> bool:
    return isinstance(type, Record) and type.one_of


def _value(option: Option, values: Mapping[str, Any]) -> Any:
    if isinstance(option.type, Record):
        return _filled(option.type, values.get(option.name, {}))
    if isinstance(option.type, ListOf):
        return _elements(option.type, values.get(option.name, []))
    if isinstance(option.type, MapOf):
        return dict(values.get(option.name, {}))
    return values.get(option.name, option.default)


def _elements(type: ListOf, elements: list[Any]) -> list[Any]:
    if isinstance(type.element, Record):
        return [_filled(type.element, element) for element in elements]
    return list(elements)
