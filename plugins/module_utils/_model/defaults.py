# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from .options import DOCUMENT
from .shapes import ListOf, MapOf, Option, Record, Type

Filling = Callable[[Any], Any]


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
    return {
        name: filled(values.get(name))
        for name, has_default, filled in _fillings(record)
        if has_default or name in values
    }


@cache
def _fillings(record: Record) -> tuple[tuple[str, bool, Filling], ...]:
    """What follows from the table alone: documents are filled in often, hundreds of them in a run."""
    return tuple((option.name, _has_default(option, record), _filling(option)) for option in record.options)


def _has_default(option: Option, record: Record) -> bool:
    if record.one_of or _is_choice_of_options(option.type):
        return False
    return option.default is not None or isinstance(option.type, (ListOf, MapOf, Record))


def _is_choice_of_options(type: Type) -> bool:
    return isinstance(type, Record) and type.one_of


def _filling(option: Option) -> Filling:
    """What makes the effective value of an option from the canonical one, or from None where that is not said."""
    type, default = option.type, option.default
    if isinstance(type, Record):
        return lambda value: _filled(type, value or {})
    if isinstance(type, ListOf):
        element = type.element
        if isinstance(element, Record):
            return lambda value: [_filled(element, each) for each in value or ()]
        return lambda value: list(value or ())
    if isinstance(type, MapOf):
        return lambda value: dict(value or {})
    return lambda value: default if value is None else value
