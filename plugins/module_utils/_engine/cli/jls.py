# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import report, store
from ..errors import EngineError
from .jls_parameters import PARAMETERS, Parameter, address_of, addresses_of, number_of, path_of
from .streams import say
from .usage import UsageError

TEXT = """usage: jls [-dhNnqsv] [-j JAIL] [--libxo json[,pretty]] [PARAMETER...]

Lists the jails that run, as jls(8) of FreeBSD does. JAIL is a jail's number or name.
  -d  those as well whose processes cannot be killed     -N  names instead of numbers
  -h  a header line     -n  NAME=VALUE     -q  quotes around values with spaces     -s  -nq, what can be set only
  -v  four and more lines a jail                         PARAMETER: all, or some of
"""
# What jls(8) writes into its structured output.
_LIBXO_VERSION = "2"


class _Wanted(NamedTuple):
    flags: frozenset[str]
    jail: str
    style: str
    parameters: tuple[str, ...]


def jls(words: list[str]) -> int:
    """The command jls(8); its exit status."""
    if words in (["--help"], ["help"]):
        say(f"{TEXT}  {' '.join(PARAMETERS)}")
        return 0
    wanted = _parse(words)
    rows = _rows(wanted)
    parameters = _chosen(wanted)
    if wanted.style:
        return _print_structured(rows, wanted, parameters)
    for line in _lines(rows, wanted, parameters):
        say(line)
    return 0


def _parse(words: list[str]) -> _Wanted:
    flags: set[str] = set()
    jail, style = "", ""
    waiting = list(words)
    while waiting and waiting[0].startswith("-"):
        word = waiting.pop(0)
        if word == "--":
            break
        if word.startswith("--libxo"):
            style = _style(word[len("--libxo") :].lstrip("=") or (waiting.pop(0) if waiting else ""))
            continue
        for number, letter in enumerate(word[1:], 1):
            if letter == "j":
                jail = word[number + 1 :] or (waiting.pop(0) if waiting else "")
                if not jail:
                    raise UsageError("-j needs a jail")
                break
            if letter not in "adhNnqsv":
                raise UsageError(f"{word!r} is not an option of jls")
            flags.add({"a": "d"}.get(letter, letter))
    return _Wanted(frozenset(flags), jail, style, tuple(waiting))


def _style(text: str) -> str:
    """``json``, ``json,pretty`` and ``:JP`` as xo_options(7) has them."""
    letters = text[1:] if text.startswith(":") else ""
    words = {"J": "json", "P": "pretty", "T": "text"}
    options = [words.get(letter, letter) for letter in letters] if letters else text.split(",")
    unknown = set(options) - {"json", "pretty", "text"}
    if unknown:
        raise UsageError(f"--libxo {text}: use json, pretty or text")
    if "json" not in options:
        return ""
    return "pretty" if "pretty" in options else "json"


def _rows(wanted: _Wanted) -> list[dict[str, Any]]:
    active = ("running", "frozen", "stuck") if "d" in wanted.flags else ("running", "frozen")
    rows = [row for row in report.describe_all(store.names()) if row["state"] in active]
    if wanted.jail:
        rows = [row for row in rows if wanted.jail in (row["name"], str(number_of(row)))]
        if not rows:
            raise EngineError("", f'jail "{wanted.jail}" not found')
    return sorted(rows, key=number_of)


def _chosen(wanted: _Wanted) -> list[Parameter]:
    """The parameters to print; none for the table and the block, which have columns of their own."""
    names = list(wanted.parameters)
    if not names and not wanted.flags & {"h", "n", "s"}:
        return []
    if not names or "all" in names:
        names = [name for name in names if name != "all"]
        names += [name for name in PARAMETERS if name not in names]
    for name in names:
        if name not in PARAMETERS:
            raise EngineError("", f"unknown parameter: {name}")
    return [PARAMETERS[name] for name in dict.fromkeys(names)]


def _lines(rows: list[dict[str, Any]], wanted: _Wanted, parameters: list[Parameter]) -> list[str]:
    if parameters:
        header = [" ".join(one.name for one in parameters)] if "h" in wanted.flags and "s" not in wanted.flags else []
        return header + [" ".join(_cells(row, wanted, parameters)) for row in rows]
    return _blocks(rows) if "v" in wanted.flags else _table(rows, named="N" in wanted.flags)


def _table(rows: list[dict[str, Any]], *, named: bool) -> list[str]:
    if named:
        lines = [f" {'JID':<15} {'IP Address':<15} {'Hostname':<29} Path"]
    else:
        lines = [f"{'JID':>6}  {'IP Address':<15} {'Hostname':<29} Path"]
    for row in rows:
        who = f" {row['name']:<15} " if named else f"{number_of(row):>6}  "
        lines.append(f"{who}{address_of(row)[:15]:<15} {row['hostname'][:29]:<29} {path_of(row)[:74]}")
    return lines


def _blocks(rows: list[dict[str, Any]]) -> list[str]:
    indent = " " * 8
    lines = [f"{'JID':>6}  {'Hostname':<29} Path", f"{indent}{'Name':<29} State", f"{indent}CPUSetID"]
    lines.append(f"{indent}IP Address(es)")
    for row in rows:
        lines.append(f"{number_of(row):>6}  {row['hostname'][:29]:<29} {path_of(row)[:74]}")
        lines.append(f"{indent}{row['name'][:29]:<29} {_state(row)}")
        lines.append(f"{indent}{_cpuset(row)}")
        lines += [f"{indent}{address}" for version in (4, 6) for address in addresses_of(row, version)]
    return lines


def _state(row: dict[str, Any]) -> str:
    return "DYING" if row["state"] == "stuck" else "ACTIVE"


def _cpuset(row: dict[str, Any]) -> int:
    """FreeBSD numbers its sets of processors: here a jail's own has the number of the jail, and the host's is 0."""
    return number_of(row) if "cpuset" in row["limits"] else 0


def _cells(row: dict[str, Any], wanted: _Wanted, parameters: list[Parameter]) -> list[str]:
    cells = []
    for one in parameters:
        value = one.read(row)
        if "s" in wanted.flags and not (one.settable and one.is_used(row)):
            continue
        cells.append(_cell(one, value, named=bool(wanted.flags & {"n", "s"}), quoted=bool(wanted.flags & {"q", "s"})))
    return cells


def _cell(one: Parameter, value: Any, *, named: bool, quoted: bool) -> str:
    if isinstance(value, bool):
        if not named:
            return "true" if value else "false"
        head, dot, tail = one.name.rpartition(".")
        return f"{head}{dot}{'' if value else 'no'}{tail}"
    text = ",".join(value) if isinstance(value, list) else str(value)
    if isinstance(value, list) and not value:
        text = '""' if quoted else "" if named else "-"
    elif not text:
        text = '""'
    elif quoted:
        text = _quoted(text)
    return f"{one.name}={text}" if named else text


def _quoted(text: str) -> str:
    if "'" in text:
        return f'"{text}"'
    if '"' in text:
        return f"'{text}'"
    return f'"{text}"' if " " in text or "\t" in text else text


def _print_structured(rows: list[dict[str, Any]], wanted: _Wanted, parameters: list[Parameter]) -> int:
    jails = [_structured(row, wanted, parameters) for row in rows]
    answer = {"__version": _LIBXO_VERSION, "jail-information": {"jail": jails}}
    say(json.dumps(answer, indent=2) if wanted.style == "pretty" else json.dumps(answer))
    return 0


def _structured(row: dict[str, Any], wanted: _Wanted, parameters: list[Parameter]) -> dict[str, Any]:
    if parameters:
        shown = [one for one in parameters if "s" not in wanted.flags or (one.settable and one.is_used(row))]
        return {one.name: _value(one.read(row)) for one in shown}
    if "v" not in wanted.flags:
        who = {"name": row["name"]} if "N" in wanted.flags else {"jid": number_of(row)}
        return {**who, "ipv4": address_of(row), "hostname": row["hostname"], "path": path_of(row)}
    return {
        "jid": number_of(row),
        "hostname": row["hostname"],
        "path": path_of(row),
        "name": row["name"],
        "state": _state(row),
        "cpusetid": _cpuset(row),
        "ipv4_addrs": addresses_of(row, 4),
        "ipv6_addrs": addresses_of(row, 6),
    }


def _value(value: Any) -> Any:
    """jls(8) writes numbers as texts where it was asked for parameters."""
    return value if isinstance(value, (bool, list)) else str(value)


COMMANDS: dict[str, Callable[[list[str]], int]] = {"jls": jls}
