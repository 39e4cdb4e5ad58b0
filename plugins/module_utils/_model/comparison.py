# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .document import HIDDEN, is_secret
from .options import DOCUMENT
from .options_jail import LIMITS
from .shapes import MapOf, Option, Record
from .sizes import parse_size

# The kernel rounds sizes to pages, which have 4 to 64 KiB.
_LARGEST_PAGE = 1 << 16
_DEFAULT_WEIGHT = 100
_LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Difference:
    """One option that differs between two documents, None standing for one that is not there."""

    path: str
    before: Any
    after: Any
    effect: str

    def line(self) -> str:
        """``limits.cpuset: '0' -> '1'``; values that look like secrets are hidden."""
        section, _unused, name = self.path.partition(".")
        hidden = section == "environment" and is_secret(name)
        before, after = (_shown(HIDDEN if hidden and value else value) for value in (self.before, self.after))
        return f"{self.path}: {before} -> {after}"


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """How two documents differ, in the order of the option table; both canonical, or both effective.

    Sections and mappings are compared by their options, lists as a whole, since their order counts.
    """
    return list(_record_differences(DOCUMENT, before, after, path=""))


def drifted_limits(wanted: Mapping[str, Any], observed: Mapping[str, Any]) -> list[str]:
    """Names of the limits in force that are not those of the document."""
    return [
        name
        for name in LIMITS.names
        if _comparable_limit(name, wanted.get(name)) != _comparable_limit(name, observed.get(name))
    ]


def _record_differences(
    record: Record, before: Mapping[str, Any], after: Mapping[str, Any], *, path: str
) -> Iterator[Difference]:
    for option in record.options:
        old, new = before.get(option.name), after.get(option.name)
        if old != new:
            yield from _option_differences(option, old, new, path=f"{path}{option.name}")


def _option_differences(option: Option, old: Any, new: Any, *, path: str) -> Iterator[Difference]:
    if isinstance(option.type, Record) and not option.type.one_of:
        yield from _record_differences(option.type, old or {}, new or {}, path=f"{path}.")
    elif isinstance(option.type, MapOf):
        old, new = old or {}, new or {}
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                effect = option.effect_of(old.get(name), new.get(name))
                yield Difference(f"{path}.{name}", old.get(name), new.get(name), effect)
    else:
        yield Difference(path, old, new, option.effect_of(old, new))


def _comparable_limit(name: str, value: Any) -> Any:
    if value is None or value == []:
        return None
    if name in ("memory", "swap"):
        return parse_size(value) // _LARGEST_PAGE
    if name == "cpu_weight":
        return None if value == _DEFAULT_WEIGHT else value
    if name == "io":
        return sorted(value, key=lambda rates: str(rates["device"]))
    return value


def _shown(value: Any) -> str:
    text = "unset" if value is None else ascii(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
