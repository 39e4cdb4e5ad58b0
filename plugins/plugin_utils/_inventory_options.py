# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from ansible import constants as C
from ansible.module_utils.parsing.convert_bool import boolean
from jinja2 import Environment, TemplateSyntaxError


class BadOption(ValueError):
    """An option of the configuration that makes no sense; it begins with the place in the file."""


def check_options(config: Mapping[str, Any], plugin: str) -> None:
    """BadOption for what Ansible would pass over in silence: options that there are not, and values out of range."""
    known = C.config.get_configuration_definitions("inventory", plugin)
    for name in config:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            raise BadOption(f"{name}: there is no such option{f'; {close[0]} is meant?' if close else ''}")
    _check_positive(config)
    _check_filters(config.get("filters") or [])
    names = config.get("hostnames")
    for number, expression in enumerate(names if isinstance(names, list) else []):
        _check_expression(expression, place=f"hostnames[{number}]")


def _check_positive(config: Mapping[str, Any]) -> None:
    for name in ("timeout", "parallel"):
        value = config.get(name, 1)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
            raise BadOption(f"{name}: {value!r} is not right; write a number above 0")


def _check_filters(filters: Any) -> None:
    if not isinstance(filters, list):
        raise BadOption(f"filters: {filters!r} is not a list of rules")
    for number, rule in enumerate(filters):
        if not isinstance(rule, Mapping) or len(rule) != 1 or not {"include", "exclude"} >= set(rule):
            wanted = "write 'include: EXPRESSION' or 'exclude: EXPRESSION'"
            raise BadOption(f"filters[{number}]: {rule!r} is not a rule; {wanted}")
        verdict, expression = next(iter(rule.items()))
        if not isinstance(expression, bool):
            _check_expression(expression, place=f"filters[{number}].{verdict}")


def _check_expression(expression: Any, *, place: str) -> None:
    """What Jinja cannot read is a mistake for every jail, whatever variables it has."""
    if not isinstance(expression, str):
        raise BadOption(f"{place}: {expression!r} is not an expression; put it in quotes")
    try:
        Environment().parse(f"{{{{ {expression} }}}}")
    except TemplateSyntaxError as error:
        raise BadOption(f"{place}: {expression!r} is not an expression: {error.message}") from error


def is_true(value: Any) -> bool:
    """What an expression yields, as a condition; ansible-core 2.18 gives some truths as texts."""
    return boolean(value, strict=False) if isinstance(value, str) else bool(value)
