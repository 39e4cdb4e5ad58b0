# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..module_utils._model.errors import DocumentError
from ..module_utils._model.names import jail_name

try:
    from ansible.utils.unsafe_proxy import wrap_var
except ImportError:

    def wrap_var(value: Any) -> Any:
        """Cores without this module template nothing that is not marked as trusted."""
        return value


STATES = ("running", "frozen", "stopped", "failed", "stuck")

# Shells greet, sudo(8) lectures: the answer has lines of its own.
_START = re.compile(r"^\[", re.MULTILINE)
_MOST_STARTS = 20


class BadAnswer(ValueError):
    """What a host printed is not what jailctl prints."""


def parse_answer(output: bytes) -> list[dict[str, Any]]:
    """The rows of ``jailctl list --json``, with no other keys and types than ``variables`` knows.

    Whoever has broken into a jail host writes what he likes here: a row without a jail's name, or two with the same,
    make the whole answer bad; anything else that is not as it should be is as if it had not been said.
    """
    return _checked(_rows(output.decode("utf-8", "replace")))


def rows_again(rows: Any) -> list[dict[str, Any]] | None:
    """Rows of ``parse_answer`` that a cache has kept, maybe for another version of us; None if they are no such."""
    try:
        return _checked(rows) if isinstance(rows, list) else None
    except BadAnswer:
        return None


def _checked(rows: list[Any]) -> list[dict[str, Any]]:
    names = [_name(row, number) for number, row in enumerate(rows)]
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    if twice:
        raise BadAnswer(f"its answer has jail {min(twice)} twice")
    return [{"name": name, **_clean(row)} for name, row in zip(names, rows)]


def _rows(text: str) -> list[Any]:
    for number, start in enumerate(_START.finditer(text)):
        if number == _MOST_STARTS:
            break
        try:
            found, end = json.JSONDecoder().raw_decode(text, start.start())
            answer = _encodable(found)
        except (ValueError, RecursionError):
            continue
        if isinstance(answer, list) and text[end : end + 1].strip() == "":
            return answer
    raise BadAnswer(f"its answer is not a list of jails: {excerpt(text) or 'it is empty'}")


def _encodable(value: Any) -> Any:
    """JSON can hold halves of characters ("\\ud800"), which nothing could print."""
    if isinstance(value, dict):
        return {_encodable(key): _encodable(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_encodable(element) for element in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def excerpt(text: str, *, longest: int = 200) -> str:
    """A text of unknown origin, fit for a message on a terminal: one line, no control characters, not too long."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text[:4096]).split())
    return line if len(line) <= longest else f"{line[:longest]}..."


def _name(row: Any, number: int) -> str:
    name = row.get("name") if isinstance(row, Mapping) else None
    try:
        return jail_name(name)
    except DocumentError as error:
        raise BadAnswer(f"its answer is not a list of jails: row {number} is called {excerpt(repr(name))}") from error


def _clean(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: read(row.get(name)) for name, read in _READERS.items()}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _state(value: Any) -> str:
    return value if value in STATES else "unknown"


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _texts(value: Any) -> list[str]:
    return [element for element in value if isinstance(element, str)] if isinstance(value, list) else []


def _labels(value: Any) -> dict[str, str]:
    return {key: text for key, text in _mapping(value).items() if isinstance(text, str)}


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _mapping_or_none(value: Any) -> dict[str, Any] | None:
    return _mapping(value) or None


def _addresses(value: Any) -> list[str]:
    return [text for text in _texts(value) if _interface(text)]


def _interface(text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        return None


_READERS: dict[str, Callable[[Any], Any]] = {
    "state": _state,
    "id": _number,
    "uid_base": _number,
    "pid": _number,
    "uptime": _number,
    "hostname": _text,
    "addresses": _addresses,
    "labels": _labels,
    "autostart": bool,
    "restarts": _number,
    "exit_status": _number,
    "message": _text,
    "ended": _mapping_or_none,
    "profile": _text,
    "template": _text,
    "ip_mode": _text,
    "init": _text,
    "depends": _texts,
    "limits": _mapping,
}


def variables(row: Mapping[str, Any], *, host: str) -> dict[str, Any]:
    """The ``jail_`` variables of a row that ``parse_answer`` gave, or that a cache has kept since.

    No text in them is ever taken for a template, whatever a label says.
    """
    ips = [str(found.ip) for found in map(_interface, row["addresses"]) if found]
    own = {f"jail_{name}": value for name, value in row.items()}
    return {
        **{name: untrusted(value) for name, value in own.items()},
        "jail_host": host,
        "jail_fleet": untrusted(row["labels"].get("fleet")),
        "jail_ips": ips,
        "jail_ip": ips[0] if ips else None,
    }


def untrusted(value: Any) -> Any:
    """A value that Ansible will not template.

    Only texts with a brace are marked: ansible-core 2.18 writes what is marked in a form of its own into the output of
    ansible-inventory.
    """
    if isinstance(value, dict):
        return {untrusted(key): untrusted(element) for key, element in value.items()}
    if isinstance(value, list):
        return [untrusted(element) for element in value]
    return wrap_var(value) if isinstance(value, str) and re.search("[{}]", value) else value
